"""Which differences between two demos count."""

import copy

from dwh_local.compare import differences

SUMMARY = {
    "faults": {"copies": 1, "seed": None},
    "runs": ["demo-1-green"],
    "events": {
        "job": {"job_completed": ["a"], "dag_run_finished": ["x"]},
        "effect": {"incident_transition": ["t"]},
    },
    "read_models": {
        "job-events": {
            "a": {"id": "a", "status": "SUCCESS", "timestamp": "1", "metrics": {"start_time": "1"}}
        },
        "job-alerts": {"i": {"incident_key": "k", "state": "resolved", "rev": 3}},
    },
    "dag_runs": [["trig__a", "success"]],
    "alerts": [["warning", "opened", "quality_yellow", "demo-1-yellow"]],
    "filtered_set": {"rows": 1, "sha256": "f"},
    "quarantined": 0,
}


def changed(**faults: int) -> dict:
    other = copy.deepcopy(SUMMARY)
    other["faults"] = {"copies": 3, "seed": None, **faults}
    return other


def test_times_and_the_ids_made_of_them_do_not_count() -> None:
    other = changed()
    other["events"]["job"]["dag_run_finished"] = ["y"]
    other["read_models"]["job-events"]["a"] |= {"timestamp": "2", "metrics": {"start_time": "9"}}
    assert differences(SUMMARY, other) == []


def test_one_event_one_field_one_alert_more_is_named() -> None:
    other = changed()
    other["events"]["job"]["job_completed"] = ["a", "b"]
    other["read_models"]["job-events"]["a"]["status"] = "FAILED"
    other["alerts"] = other["alerts"] * 2
    assert [line.partition(":")[0] for line in differences(SUMMARY, other)] == [
        "/alerts",
        "/events/job_completed",
        "/read_models/job-events/a/status",
    ]


def test_shuffled_alerts_do_not_count_but_how_incidents_ended_does() -> None:
    other = changed(seed=5)
    other["alerts"], other["events"]["effect"] = [], {}
    other["read_models"]["job-alerts"] = {"i": {"incident_key": "k", "state": "resolved", "rev": 9}}
    assert differences(SUMMARY, other) == []
    other["read_models"]["job-alerts"]["i"]["state"] = "open"
    assert differences(SUMMARY, other) == ['/incident_states/k: "resolved" != "open"']


def test_counts_of_a_shuffled_merge_do_not_count_but_the_final_set_does() -> None:
    one, other = copy.deepcopy(SUMMARY), changed(seed=7)
    for summary, records in ((one, 1), (other, 2)):
        merge = {"id": "f", "job_name": "filter_images", "metrics": {"records_written": records}}
        summary["read_models"]["job-events"]["f"] = merge
    assert differences(one, other) == []
    other["filtered_set"]["rows"] = 2
    assert [line.partition(":")[0] for line in differences(one, other)] == ["/filtered_set/rows"]
