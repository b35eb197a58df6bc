import json
from pathlib import Path

import pytest
from dwh_contracts.canonical import canonical_json
from dwh_contracts.parse import event_from_body
from dwh_contracts.testing import a_job_event, an_approval_decision
from dwh_contracts.workflow import load_workflow_config
from dwh_orchestrator.decide import PlannedTrigger, decide_approval, decide_run, truthy

GOLDEN = Path(__file__).parents[2] / "contracts" / "golden"
FILTER = {"id": "filter", "type": "sqs_mwaa", "dag_id": "filter_image_glue_pyspark"}


def a_config(**workflow):
    body = {"version": "2.0", "workflows": {"transform_images": workflow}}
    return load_workflow_config(canonical_json(body)).config


def a_run(**over):
    return event_from_body(a_job_event(**over))


def an_accepted(**over):
    return an_approval_decision(**over)


def test_a_run_without_workflow_starts_nothing_and_says_so():
    decision = decide_run(a_run(job_name="unknown"), a_config())
    assert (decision.situation, decision.triggers) == ("on_success", ())
    assert "no workflow for unknown" in decision.reason


@pytest.mark.parametrize(
    ("over", "situation", "rules"),
    [
        ({"quality_status": "GREEN"}, "on_success", ["filter"]),
        ({"quality_status": "YELLOW"}, "on_success", ["filter"]),
        ({"quality_status": "RED"}, "waiting_for_approval", []),
        ({"status": "FAILED"}, "on_failure", ["page"]),
    ],
)
def test_the_set_follows_from_the_status(over, situation, rules):
    config = a_config(on_success=[FILTER], on_failure=[{"id": "page", "type": "sqs_mwaa", "dag_id": "page"}])
    decision = decide_run(a_run(**over), config)
    assert decision.situation == situation
    assert [rule.rule_id for rule in decision.rules if rule.matched] == rules
    assert [trigger.rule_id for trigger in decision.triggers] == rules


@pytest.mark.parametrize(
    ("on_approval", "rules"),
    [
        ({}, ["filter"]),
        ({"on_approval": []}, []),
        ({"on_approval": "same_as:on_success"}, ["filter"]),
        ({"on_approval": [FILTER | {"id": "own"}]}, ["own"]),
    ],
    ids=["missing means on_success", "empty means none", "same_as", "its own"],
)
def test_what_an_approval_starts(on_approval, rules):
    config = a_config(on_success=[FILTER], **on_approval)
    decision = decide_approval(a_run(quality_status="RED"), an_accepted(), config)
    assert decision.situation == "on_approval"
    assert [(trigger.rule_id, trigger.trigger_set) for trigger in decision.triggers] == [
        (rule, "on_approval") for rule in rules
    ]


@pytest.mark.parametrize(
    ("accepted", "situation"),
    [
        ({"decision": "REJECTED"}, "on_rejection"),
        ({"decision": "EXPIRED", "decided_by": "system:expiry"}, "on_rejection"),
        ({"decision": "EXPIRED", "decided_by": "system:superseded"}, "ignored"),
    ],
)
def test_what_follows_from_other_decisions(accepted, situation):
    config = a_config(on_rejection=[FILTER])
    decision = decide_approval(a_run(quality_status="RED"), an_approval_decision() | accepted, config)
    assert decision.situation == situation
    assert len(decision.triggers) == (1 if situation == "on_rejection" else 0)


def test_a_decision_on_a_run_that_waits_for_none_is_ignored():
    decision = decide_approval(a_run(quality_status="GREEN"), an_accepted(), a_config(on_success=[FILTER]))
    assert (decision.situation, decision.triggers) == ("ignored", ())


@pytest.mark.parametrize(
    ("min_quality", "over", "matched"),
    [
        ("GREEN", {"quality_status": "GREEN"}, True),
        ("GREEN", {"quality_status": "YELLOW"}, False),
        ("GREEN", {"evaluated": False}, False),
        ("YELLOW", {"evaluated": False}, True),
        ("YELLOW", {"quality_status": "YELLOW"}, True),
        ("ANY", {"quality_status": "YELLOW"}, True),
    ],
)
def test_min_quality_compares_with_the_runs_own(min_quality, over, matched):
    config = a_config(on_success=[FILTER | {"min_quality": min_quality}])
    [rule] = decide_run(a_run(**over), config).rules
    assert rule.matched is matched


@pytest.mark.parametrize("min_quality", ["YELLOW", "GREEN"])
def test_an_approved_red_run_matches_only_any(min_quality):
    config = a_config(on_success=[FILTER | {"min_quality": min_quality}])
    [rule] = decide_approval(a_run(quality_status="RED"), an_accepted(), config).rules
    assert (rule.matched, rule.clause, rule.value) == (False, f"min_quality {min_quality}", "RED")


def test_when_names_the_deciding_clause_and_value():
    config = a_config(on_success=[FILTER | {"when": "job.metrics.records_written > `1000000`"}])
    [rule] = decide_run(a_run(), config).rules
    assert (rule.matched, rule.clause, rule.value) == (
        False,
        "when job.metrics.records_written > `1000000`",
        False,
    )


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        (None, False),
        (False, False),
        ("", False),
        ([], False),
        ({}, False),
        (0, True),
        ("x", True),
        (True, True),
    ],
)
def test_truth_is_that_of_jmespath(value, truth):
    assert truthy(value) is truth


def test_a_missing_required_parameter_makes_a_trigger_that_fails_visibly():
    mapping = {"x": {"path": "job.metrics.no_such_field", "required": True}}
    config = a_config(on_success=[FILTER | {"parameter_mapping": mapping}])
    [trigger] = decide_run(a_run(), config).triggers
    assert "required parameter x is missing: job.metrics.no_such_field" in (trigger.error or "")


def test_the_golden_trigger_follows_from_the_golden_run_and_decision():
    run = event_from_body(json.loads((GOLDEN / "job_completed_red.json").read_text()))
    accepted = json.loads((GOLDEN / "approval_approved.json").read_text())
    expected = json.loads((GOLDEN / "trigger_message.json").read_text())
    config = load_workflow_config((GOLDEN / "workflow_config_v2.json").read_bytes()).config
    decision = decide_approval(run, accepted, config)
    trigger = next(each for each in decision.triggers if each.rule_id == "filter")
    assert trigger.trigger_id == expected["trigger_id"]
    assert trigger.conf == expected["conf"]


def test_version_1_maps_an_approval_from_the_stored_run():
    run = event_from_body(json.loads((GOLDEN / "job_completed_red.json").read_text()))
    accepted = json.loads((GOLDEN / "approval_approved.json").read_text())
    config = load_workflow_config((GOLDEN / "workflow_config_v1.json").read_bytes()).config
    [trigger] = decide_approval(run, accepted, config).triggers
    assert trigger.conf["priority"] == "high"
    assert trigger.conf["start_date"] == "2026-11-23T07:00:00.000000Z"


def test_null_is_left_out_and_zero_false_and_empty_are_passed():
    mapping = {
        "null": "job.error.type",
        "zero": "job.metrics.payload.zero",
        "false": "job.metrics.payload.no",
        "empty": "job.metrics.payload.text",
        "default": {"path": "job.error.type", "default": "d"},
    }
    body = a_job_event()
    body["metrics"]["payload"] = {"zero": 0, "no": False, "text": ""}
    config = a_config(on_success=[FILTER | {"conf": {"static": 1, "zero": 9}, "parameter_mapping": mapping}])
    [trigger] = decide_run(event_from_body(body), config).triggers
    assert {name: trigger.conf.get(name, "absent") for name in (*mapping, "static")} == {
        "null": "absent",
        "zero": 0,
        "false": False,
        "empty": "",
        "default": "d",
        "static": 1,
    }


def test_a_run_without_manifest_brings_no_source_artifacts():
    run = a_run(artifacts_manifest=None)
    [trigger] = decide_run(run, a_config(on_success=[FILTER])).triggers
    assert set(trigger.conf) == {"triggered_by_job", "triggered_by_run_id", "trigger_id"}


def test_a_recorded_trigger_reads_back_equal():
    [trigger] = decide_run(a_run(), a_config(on_success=[FILTER])).triggers
    assert PlannedTrigger.from_json(json.loads(canonical_json(trigger.as_json()))) == trigger
