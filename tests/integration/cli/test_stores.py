"""`dwh runs` and `dwh store` over a real node."""

import json
from datetime import timedelta

import pytest
from dwh_contracts.clock import SystemClock
from dwh_contracts.times import format_time
from dwh_eventstore.testing.events import RunFacts

pytestmark = pytest.mark.integration


async def test_a_run_is_shown_as_it_is_and_as_it_was_known_before(store, dwh_at_node, environment):
    run = RunFacts(f"job_{environment}", "run-1", environment=environment)
    await store.record([run.started()])
    between = format_time(SystemClock().now())
    await store.record([run.completed("GREEN")])
    await store.refresh()
    show = ("runs", "show", run.job_name, run.job_run_id, "--json")
    now, before = dwh_at_node(*show), dwh_at_node(*show, "--as-of", between)
    assert [json.loads(answer.stdout)["status"] for answer in (now, before)] == ["SUCCESS", "RUNNING"]
    long_ago = format_time(SystemClock().now() - timedelta(days=300))
    absent = dwh_at_node(*show, "--as-of", long_ago)
    assert (absent.returncode, absent.stdout) == (1, "")
    assert f"no run run-1 of {run.job_name} is stored before {long_ago}" in absent.stderr


async def test_an_import_tried_dry_names_bad_lines_and_stores_nothing(
    store, dwh_at_node, environment, tmp_path
):
    run = RunFacts(f"job_{environment}", "run-1", environment=environment)
    good = json.dumps(run.completed("GREEN").body)
    (tmp_path / "events.jsonl").write_text(f"{good}\nno json\n")
    answer = dwh_at_node("store", "import", tmp_path.as_uri(), "--dry-run", "--json")
    told = json.loads(answer.stdout)
    assert (answer.returncode, told["readable"], len(told["refused"])) == (1, 1, 1)
    assert "events.jsonl:2: " in told["refused"][0]
    assert await store.read_models.get("job-events", run.run_id) is None
    assert dwh_at_node("store", "import", tmp_path.as_uri()).returncode == 1
    assert await store.read_models.get("job-events", run.run_id) is not None
