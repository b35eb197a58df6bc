"""What a target tells about the end of its runs."""

import hashlib
from datetime import UTC, datetime, timedelta

import dwh_target
import pytest

END = datetime(2026, 11, 23, 9, 0, 0, 5, tzinfo=UTC)
CONF = {"triggered_by_job": "transform_images", "triggered_by_run_id": "r-1", "trigger_id": "t-1"}


def a_fact(**over):
    facts = {
        "dag_id": "d",
        "run_id": "trig__x",
        "conf": CONF,
        "state": "success",
        "start": END - timedelta(seconds=2.5),
        "end": END,
        "environment": "dev",
        "now": END,
    }
    return dwh_target.dag_run_finished(**(facts | over))


def test_the_end_of_a_run_is_part_of_the_id_of_its_fact():
    fact = a_fact()
    parts = ["dag_run_finished", "dev", "d", "trig__x", "2026-11-23T09:00:00.000005Z"]
    assert fact["end_date"] == parts[-1]
    assert fact["event_id"] == hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
    assert a_fact(end=END + timedelta(seconds=1))["event_id"] != fact["event_id"]
    assert a_fact(now=END + timedelta(seconds=1))["event_id"] == fact["event_id"]


def test_a_fact_names_the_run_that_led_to_it():
    fact = a_fact()
    assert (fact["job_name"], fact["job_run_id"], fact["trigger_id"]) == ("transform_images", "r-1", "t-1")
    assert (fact["dag_id"], fact["dag_run_id"], fact["duration_seconds"]) == ("d", "trig__x", 2.5)


@pytest.mark.parametrize("name", list(CONF))
@pytest.mark.parametrize("value", [None, 7, "", "a b", "{{ 7*7 }}"])
def test_a_run_that_no_job_started_is_not_told(name, value):
    assert a_fact(conf={**CONF, name: value}) is None


def test_overrides_win_over_the_defaults_of_a_target():
    arguments = dwh_target.target(tags=("team",), max_active_runs=4)
    assert (arguments["tags"], arguments["max_active_runs"]) == (["dwh-target", "team"], 4)
