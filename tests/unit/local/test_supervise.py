"""What supervisor is told."""

import configparser
import json

from dwh_local.aws import inherited
from dwh_local.launch import main
from dwh_local.paths import Checkout
from dwh_local.programs import NAMES, Program
from dwh_local.supervise import Supervisor, socket_path


def test_a_deep_clone_gets_a_socket_path_that_unix_can_take(tmp_path) -> None:
    shallow, deep = Checkout(tmp_path.parent / "a"), Checkout(tmp_path / ("d" * 120))
    assert socket_path(deep) != socket_path(Checkout(tmp_path / ("e" * 120)))
    assert all(len(str(socket_path(place))) <= 90 for place in (shallow, deep))


def test_every_program_is_configured_and_none_starts_by_itself(tmp_path) -> None:
    supervisor = Supervisor(Checkout(tmp_path / "100%"))
    supervisor._write_configuration()
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(supervisor._configuration)
    programs = {name.removeprefix("program:"): parser[name] for name in parser if name.startswith("program:")}
    assert set(programs) == set(NAMES)
    assert {program["autostart"] for program in programs.values()} == {"false"}
    assert all("100%%" in program["command"] for program in programs.values())


def test_a_definition_says_whether_it_changed(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "my-real-account")
    monkeypatch.setenv("DWH_TOKEN", "mine")
    supervisor = Supervisor(Checkout(tmp_path))
    program = Program("indexer", ["python", "-m", "dwh_indexer"], {"A": 'quotes " and , commas'})
    assert [supervisor.define(program), supervisor.define(program)] == [True, False]
    written = json.loads(supervisor._definition("indexer").read_text())
    assert written["environment"]["A"] == 'quotes " and , commas'
    assert set(written["environment"]) == {"A"}
    monkeypatch.setenv("SHLVL", "9")
    assert not supervisor.define(program), "another shell makes no other program"
    assert supervisor._definition("indexer").stat().st_mode & 0o077 == 0
    assert "AWS_PROFILE" not in inherited()


def test_launch_becomes_the_program(tmp_path, monkeypatch) -> None:
    file = tmp_path / "p.json"
    file.write_text(
        json.dumps({"command": ["echo", "hi"], "environment": {"A": "1"}, "directory": str(tmp_path)})
    )
    became = []
    monkeypatch.setattr("os.execvpe", lambda *arguments: became.append(arguments))
    monkeypatch.setenv("INHERITED", "yes")
    monkeypatch.setattr("sys.argv", ["launch", str(file)])
    monkeypatch.chdir(tmp_path)
    main()
    [(program, arguments, environment)] = became
    assert (program, arguments) == ("echo", ["echo", "hi"])
    assert (environment["A"], environment["INHERITED"]) == ("1", "yes")
