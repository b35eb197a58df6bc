import json
import subprocess
import sys
from pathlib import Path

import pytest
from aws_front import aws_front
from dwh_cli import connect, show
from dwh_cli.verbs import VERBS
from dwh_contracts.clock import SystemClock
from dwh_contracts.testing import a_job_event
from dwh_contracts.times import format_time

GOLDEN = Path(__file__).parents[2] / "contracts" / "golden"
EXPECTED = json.loads((GOLDEN / "bad" / "expected.json").read_text())
NOWHERE = {
    "DWH_ENVIRONMENT": "local",
    "DWH_OPENSEARCH_URL": "http://127.0.0.1:9",
    "DWH_APPROVALS_URL": "http://127.0.0.1:9",
    "DWH_JOB_EVENTS_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:dwh-local-job-events",
    "DWH_JOB_APPROVALS_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:dwh-local-job-approvals",
    "AWS_REGION": "us-east-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "PATH": "/usr/bin:/bin",
}


def dwh(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "dwh_cli", *arguments],
        env=NOWHERE | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_lists_every_verb_and_the_exit_codes():
    answer = dwh("--help")
    assert answer.returncode == 0
    assert all(f"  {verb} " in answer.stdout for verb in VERBS)
    assert "3 a needed server is not reachable" in " ".join(answer.stdout.split())


@pytest.mark.parametrize("arguments", [["nonsense"], ["trace"], ["runs", "list", "--limit", "x"], []])
def test_wrong_usage_ends_with_2_and_no_traceback(arguments):
    answer = dwh(*arguments)
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "text"),
    [
        (["runs", "list", "--since", "yesterday"], {}, "--since"),
        (["runs", "list"], {"DWH_OPENSEARCH_REPLICAS": "x"}, "DWH_OPENSEARCH_REPLICAS"),
        (["runs", "list"], {"DWH_OPENSEARCH_AUTH": "magic"}, "DWH_OPENSEARCH_AUTH"),
        (["runs", "list"], {"DWH_OPENSEARCH_AUTH": "basic"}, "basic needs a user and a password"),
        (["runs", "list"], {"DWH_OPENSEARCH_AUTH": "sigv4", "AWS_REGION": ""}, "set AWS_REGION"),
        (
            ["runs", "list"],
            {"DWH_OPENSEARCH_AUTH": "basic", "DWH_OPENSEARCH_PASSWORD_FILE": "no-such-secret"},
            "DWH_OPENSEARCH_PASSWORD_FILE: no-such-secret: No such file",
        ),
        (["runs", "show", "j", "r", "--as-of", "noon"], {}, "--as-of"),
        (["store", "export", "somewhere"], {}, "somewhere: a folder is named as file:///"),
        (["store", "import", "http://x/y"], {}, "http://x/y: a folder is named as file:///"),
        (["store", "rebuild", "job-events", "--dry-run", "--rollback"], {}, "exclude each other"),
        (
            ["store", "rebuild"],
            {},
            "name read models, e.g. `dwh store rebuild job-events`, or say --outdated",
        ),
        (["store", "rebuild", "job-events", "--outdated"], {}, "or say --outdated"),
        (["store", "rebuild", "--outdated", "--drop-old"], {}, "--outdated says which to make anew"),
        (["local", "status"], {"DWH_LOCAL_SLOT": "99"}, "DWH_LOCAL_SLOT"),
        (["local", "up", "--port", "postgres=1"], {}, "postgres"),
        (
            ["approvals", "bulk", "no-file", "--decision", "APPROVED", "--reason", "looked at it"],
            {},
            "no-file",
        ),
    ],
)
def test_a_wrong_value_is_named_in_one_line_before_any_server_is_asked(arguments, variables, text):
    answer = dwh(*arguments, **variables)
    assert answer.returncode == 2
    [line] = answer.stderr.splitlines()
    assert text in line


def test_the_addresses_of_the_local_system_are_data_too():
    told = json.loads(dwh("local", "env", "--json").stdout)
    lines = dwh("local", "env").stdout.splitlines()
    assert [line.partition("=")[0] for line in lines] == [f"export {name}" for name in told]


# One process for many files would publish none of them; each file is refused by its own reason.
@pytest.mark.parametrize("name", ["not_json.txt", "binary.bin", "no_status.json", "job_name_path.json"])
def test_emit_refuses_a_bad_file_in_one_line_with_its_reason(name):
    environment = "dev" if name.endswith(".json") else "local"
    answer = dwh("emit", str(GOLDEN / "bad" / name), DWH_ENVIRONMENT=environment)
    assert answer.returncode == 2
    [line] = answer.stderr.splitlines()
    assert name in line
    assert EXPECTED[name]["reason"] in line


def test_emit_of_a_missing_file_names_it():
    answer = dwh("emit", "no-such-file.json")
    assert (answer.returncode, answer.stderr) == (2, "dwh: no-such-file.json: No such file or directory\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs", "list"],
        ["store", "verify"],
        ["store", "rebuild", "job-events"],
        ["trace", "r-1"],
        ["approvals", "list"],
        ["bootstrap", "--check"],
        ["selftest"],
    ],
)
def test_a_server_that_does_not_answer_ends_with_3_and_its_address(arguments):
    answer = dwh(*arguments)
    assert answer.returncode == 3
    [line] = answer.stderr.splitlines()
    assert "127.0.0.1:9" in line


@pytest.mark.parametrize(
    "arguments", [["runs", "list"], ["trace", "r-1"], ["why", "d", "--job", "j", "--run", "r"], ["bootstrap"]]
)
def test_refused_credentials_end_with_2_and_what_to_do(arguments):
    with aws_front() as front:
        answer = dwh(*arguments, DWH_OPENSEARCH_URL=front.url, DWH_OPENSEARCH_AUTH="sigv4")
    assert answer.returncode == 2
    [line] = answer.stderr.splitlines()
    assert line.startswith(f"dwh: OpenSearch at {front.url} answered 403: ")
    assert [seen.access_key for seen in front.seen] == ["local"]


def test_a_password_is_read_from_the_file_that_its_variable_names(monkeypatch, tmp_path):
    (tmp_path / "password").write_text("from-the-file\n")
    monkeypatch.setenv("DWH_ENVIRONMENT", "local")
    monkeypatch.setenv("DWH_OPENSEARCH_PASSWORD_FILE", str(tmp_path / "password"))
    assert connect.secret("DWH_OPENSEARCH_PASSWORD") == "from-the-file"
    monkeypatch.setenv("DWH_OPENSEARCH_PASSWORD", "from-the-variable")
    assert connect.secret("DWH_OPENSEARCH_PASSWORD") == "from-the-variable"


def test_emit_without_its_server_ends_with_3(tmp_path):
    body = a_job_event(environment="local", timestamp=format_time(SystemClock().now()))
    path = tmp_path / "event.json"
    path.write_text(json.dumps(body))
    answer = dwh("emit", str(path))
    assert answer.returncode == 3
    assert len(answer.stderr.splitlines()) == 1


def test_a_missing_setting_is_named_with_its_remedy():
    answer = dwh("runs", "list", DWH_OPENSEARCH_URL="")
    assert answer.returncode == 2
    assert "DWH_OPENSEARCH_URL is not set" in answer.stderr


def test_no_terminal_obeys_the_text_of_an_event(capsys):
    show.table(["a"], [["\x1b[31mred\x1b[0m\u202e [bold]x[/bold]"]], empty="")
    shown = capsys.readouterr().out
    assert "\x1b[31m" not in shown
    assert "\u202e" not in shown
    assert "[bold]x[/bold]" in shown


def without_local(*arguments, **variables):
    """The command as in the image: its extra `local` is not installed."""
    program = (
        "import sys; sys.modules['dwh_local'] = None\n"
        "from dwh_cli.__main__ import main; sys.argv[0] = 'dwh'; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=NOWHERE | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [(["local", "up"], {}), (["runs", "list"], {"DWH_ENVIRONMENT": ""})],
    ids=["its own verb", "a verb that needs an environment"],
)
def test_without_the_local_system_one_line_says_so(arguments, variables):
    answer = without_local(*arguments, **variables)
    assert answer.returncode == 2
    [line] = answer.stderr.splitlines()
    assert "the local system is not in this installation" in line


def test_without_the_local_system_every_other_verb_is_there():
    answers = [without_local(verb, "--help") for verb in VERBS if verb != "local"]
    assert [answer.returncode for answer in answers] == [0] * len(answers)


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "text"),
    [
        (["store", "audit"], {}, 2, "DWH_AUDIT_KEY is not set"),
        (["store", "audit"], {"DWH_AUDIT_KEY": "hush"}, 2, "64 hex digits"),
        (["store", "audit", "--since", "once"], {"DWH_AUDIT_KEY": "0" * 64}, 2, "--since"),
        (["store", "audit"], {"DWH_AUDIT_KEY": "0" * 64}, 3, "http://127.0.0.1:9"),
        (["quarantine", "list"], {}, 3, "http://127.0.0.1:9"),
        (["quarantine", "replay"], {}, 2, "Missing argument"),
    ],
)
def test_the_verbs_of_the_log_say_what_is_missing(arguments, variables, code, text):
    answer = dwh(*arguments, **variables)
    assert (answer.returncode, "hush" in answer.stderr, "Traceback" in answer.stderr) == (code, False, False)
    assert text in " ".join(answer.stderr.split())


def test_bootstrap_prints_the_roles_of_the_store_without_a_store():
    answer = dwh("bootstrap", "--roles")
    roles = json.loads(answer.stdout)
    assert answer.returncode == 0
    assert set(roles) == {
        f"dwh-{name}" for name in ("indexer", "alerts", "orchestrator", "approvals", "selftest")
    }
