from dwh_runtime.outcomes import Fatal
from dwh_runtime.service import instance_name, run
from dwh_runtime.settings import ServiceSettings


async def refuse(_settings):
    raise Fatal("no such thing")


def test_wrong_settings_exit_2_with_one_line_per_problem(environ, capsys):
    environ.delenv("DWH_QUEUE_URL")
    environ.setenv("DWH_HTPP_PORT", "1")
    assert run(refuse, ServiceSettings, name="indexer", argv=[]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "dwh_indexer: DWH_HTPP_PORT is not a known setting; did you mean DWH_HTTP_PORT?",
        "dwh_indexer: DWH_QUEUE_URL is missing",
    ]


def test_settings_can_be_looked_at_without_their_secrets(environ, capsys):
    environ.setenv("DWH_OPENSEARCH_PASSWORD", "hunter2-hunter2")
    assert run(refuse, ServiceSettings, name="indexer", argv=["--check-settings"]) == 0
    printed = capsys.readouterr().out
    assert "environment=local" in printed
    assert "hunter2" not in printed


def test_giving_up_exits_1_with_one_clear_line(environ, capsys):
    assert run(refuse, ServiceSettings, name="indexer", argv=[]) == 1
    assert capsys.readouterr().err == "dwh_indexer: Fatal: no such thing\n"


def test_replicas_differ_by_host_and_process():
    assert instance_name("indexer").startswith("indexer@")
