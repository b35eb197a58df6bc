"""Run as `make test` runs it, with a search path and an apt-get of the test's own."""

import subprocess
import sys

import pytest


@pytest.fixture
def machine(tmp_path, root):
    """A folder of commands that is the whole search path; returns what the script says."""

    def command(name, script="exit 0"):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(*, may_install):
        code = (
            "import runpy, sys; part = runpy.run_path(sys.argv[1]); main = part['main'];"
            f"main.__globals__['may_install'] = lambda: {may_install}; sys.exit(main())"
        )
        answer = subprocess.run(
            [sys.executable, "-c", code, str(root / "scripts" / "system_packages.py")],
            env={"PATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.stderr == ""
        return answer.returncode, answer.stdout

    run.command, run.folder = command, tmp_path
    return run


def test_what_is_there_is_left_alone_without_a_word(machine):
    machine.command("promtool")
    machine.command("apt-get", "exit 9")
    assert machine(may_install=True) == (0, "")


def test_who_may_not_install_is_told_the_command(machine):
    code, said = machine(may_install=False)
    assert code == 0
    assert "skipped; apt-get install prometheus" in said


def test_who_may_gets_it_from_fresh_lists(machine):
    machine.command("apt-get", f'echo "$@" >> {machine.folder}/asked')
    assert machine(may_install=True) == (0, "tests: installing prometheus\n")
    update, install = (machine.folder / "asked").read_text().splitlines()
    assert update.endswith(" update")
    assert install.endswith(" install --yes --no-install-recommends prometheus")


def test_without_a_package_source_tests_are_skipped_and_not_failed(machine):
    machine.command("apt-get", "echo 'E: no such package' >&2; exit 100")
    code, said = machine(may_install=True)
    assert code == 0
    assert "could not be installed, the tests that need it are skipped: E: no such package" in said
