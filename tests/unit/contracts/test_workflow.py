import json

import pytest
from dwh_contracts.workflow import ConfigRefused, evaluate, load_workflow_config

RULE = {"type": "sqs_mwaa", "dag_id": "d"}
JOIN = {"id": "j", "jobs": ["a", "b"], "key": "job.x", "then": RULE}


def load(body):
    return load_workflow_config(body if isinstance(body, bytes) else json.dumps(body).encode())


def v2(**workflow):
    return {"version": "2.0", "workflows": {"a": workflow}}


def refused(body):
    with pytest.raises(ConfigRefused) as refusal:
        load(body)
    return refusal.value.problems


@pytest.mark.parametrize(
    ("workflow", "path", "reason"),
    [
        ({"on_success": [{"type": "fax"}]}, "workflows.a.on_success.0.type", "Input should be"),
        ({"on_success": [{"type": "sqs_mwaa"}]}, "workflows.a.on_success.0", "needs dag_id"),
        ({"on_success": [{**RULE, "arn": "x"}]}, "workflows.a.on_success.0", "has no arn"),
        ({"on_success": [{**RULE, "id": "q"}] * 2}, "workflows.a.on_success.1.id", "stands twice"),
        (
            {"on_success": [{**RULE, "id": "q"}], "on_failure": [{**RULE, "id": "q"}]},
            "workflows.a.on_failure.0.id",
            "stands twice",
        ),
        (
            {"on_success": [RULE, {**RULE, "id": "sqs_mwaa-0"}]},
            "workflows.a.on_success.0",
            "given id of another",
        ),
        ({"joins": [JOIN, JOIN]}, "workflows.a.joins.1.id", "stands twice"),
        ({"joins": [{**JOIN, "at_least": 3}]}, "workflows.a.joins.0", "more than there are jobs"),
        ({"joins": [{**JOIN, "key": "a["}]}, "workflows.a.joins.0", "does not compile"),
        ({"on_success": [{**RULE, "when": "a["}]}, "workflows.a.on_success.0.when", "does not compile"),
        (
            {"on_success": [{**RULE, "parameter_mapping": {"x": "a..b"}}]},
            "workflows.a.on_success.0.parameter_mapping.x.path",
            "does not compile",
        ),
        ({"on_succes": []}, "workflows.a.on_succes", "Extra inputs"),
        ({"on_success": [{**RULE, "wehn": "x"}]}, "workflows.a.on_success.0.wehn", "Extra inputs"),
        ({"approval": {"approvers": []}}, "workflows.a.approval.approvers", "at least 1"),
        ({"approval": {"approvers": ["me"]}}, "workflows.a.approval.approvers", "group:<name>"),
        ({"approval": {"required": 6}}, "workflows.a.approval.required", "less than"),
        ({"approval": {"on_expiry": "ESCALATE"}}, "workflows.a.approval", "needs escalate_to"),
        ({"on_success": [{**RULE, "delay_seconds": 901}]}, "workflows.a.on_success.0.delay_seconds", "900"),
        ({"on_success": [{**RULE, "max_attempts": 0}]}, "workflows.a.on_success.0.max_attempts", "greater"),
        (
            {"on_success": [{**RULE, "parameter_mapping": 3}]},
            "workflows.a.on_success.0.parameter_mapping",
            "",
        ),
        ({"on_success": ["x"]}, "workflows.a.on_success.0", ""),
        ({"joins": [3]}, "workflows.a.joins.0", ""),
        (
            {"on_success": [{**RULE, "conf": {"trigger_id": 1}}]},
            "workflows.a.sqs_mwaa-0.trigger_id",
            "set by the system",
        ),
    ],
)
def test_a_mistake_is_refused_with_its_path(workflow, path, reason):
    [(found, why)] = refused(v2(**workflow))
    assert found == path
    assert reason in why


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"{", ""),
        (b"[" * 10_000, ""),
        (b"[]", ""),
        (b'{"a": NaN}', ""),
        ({"version": "3.0"}, "version"),
        ({"version": "2.0"}, "workflows"),
        ({"version": "2.0", "workflows": []}, "workflows"),
        ({"version": "2.0", "workflows": {"a": 1}}, "workflows.a"),
        ({"version": "2.0", "defaults": {"max_attempts": 3}, "workflows": {"a": 1}}, "workflows.a"),
        (
            {"version": "2.0", "defaults": {"max_attempts": 3}, "workflows": {"a": {"on_success": [1]}}},
            "workflows.a.on_success.0",
        ),
        (
            {"version": "2.0", "defaults": {"max_attempts": 3}, "workflows": {"a": {"joins": [1]}}},
            "workflows.a.joins.0",
        ),
        ({"workflows": {"a": 1}}, "workflows.a"),
        ({"workflows": 1}, "workflows"),
        ({"workflows": {"a": {"on_success": [1]}}}, "workflows.a.on_success.0"),
        (
            {"version": "2.0", "defaults": {"max_attempts": 51}, "workflows": {}},
            "defaults.max_attempts",
        ),
    ],
)
def test_a_file_of_another_form_is_refused(body, path):
    assert [found for found, _ in refused(body)] == [path]


def test_jobs_that_start_each_other_are_refused():
    workflows = {
        "a": {"started_by": ["start_a"], "on_success": [{"type": "sqs_mwaa", "dag_id": "start_b"}]},
        "b": {"started_by": ["start_b"], "on_failure": [{"type": "glue_job", "job_name": "start_a"}]},
        "c": {"started_by": ["start_b"]},
    }
    assert refused({"version": "2.0", "workflows": workflows}) == [
        ("workflows.a", "starts itself: a → b → a")
    ]


def test_a_join_that_starts_one_of_its_jobs_is_refused():
    join = {**JOIN, "jobs": ["b", "x"], "then": {"type": "sqs_mwaa", "dag_id": "start_b"}}
    workflows = {"a": {"joins": [join]}, "b": {"started_by": ["start_b"]}}
    assert refused({"version": "2.0", "workflows": workflows})[0][0] == "workflows.b"


def test_several_ways_to_one_job_are_no_cycle():
    to = [{"type": "sqs_mwaa", "dag_id": dag} for dag in ("start_b", "start_c")]
    workflows = {
        "a": {"on_success": to},
        "b": {"started_by": ["start_b"], "on_success": [to[1]]},
        "c": {"started_by": ["start_c"]},
    }
    assert len(load({"version": "2.0", "workflows": workflows}).warnings) == 1


def test_rules_take_the_default_attempts_and_ids():
    body = v2(
        on_success=[{**RULE, "when": None}, {**RULE, "max_attempts": 2}],
        on_approval="same_as:on_success",
        joins=[JOIN],
    )
    workflow = load({**body, "defaults": {"max_attempts": 9}}).config.workflows["a"]
    assert [(rule.id, rule.max_attempts) for rule in workflow.on_success] == [
        ("sqs_mwaa-0", 9),
        ("sqs_mwaa-1", 2),
    ]
    assert workflow.on_approval == workflow.on_success
    assert (workflow.joins[0].then.id, workflow.joins[0].then.max_attempts) == ("sqs_mwaa-0", 9)


def test_every_problem_of_a_file_is_named():
    rule = {**RULE, "id": "q", "parameter_mapping": {"trigger_id": "job.x"}}
    assert len(refused(v2(on_success=[rule, rule]))) == 3


def test_version_1_warns_where_version_2_refuses():
    rule = {
        **RULE,
        "colour": "red",
        "conf": {"trigger_id": 1},
        "parameter_mapping": {
            "first": "metrics.drop_reasons.0",
            "broken": "a..b",
            "source_artifacts": "x",
            "long": {"path": "job.x"},
            "kept": "run.attempt",
        },
    }
    loaded = load({"version": "1.0", "extra": 1, "workflows": {"a": {"mood": 1, "on_success": [rule]}}})
    [upgraded] = loaded.config.workflows["a"].on_success
    first = "metrics.drop_reasons"
    at, left_out = "workflows.a.on_success.0", "does not compile and is left out"
    assert loaded.warnings[:-1] == [
        "extra: unknown, is left out",
        "workflows.a.mood: unknown, is left out",
        f"{at}.colour: unknown, is left out",
        f"{at}.conf.trigger_id: is set by the system, ours is kept",
        f"{at}.parameter_mapping.source_artifacts: is set by the system, ours is kept",
        f"{at}.parameter_mapping.first: {first}.0 {left_out}; did you mean {first}[0]?",
        f"{at}.parameter_mapping.broken: a..b {left_out}",
    ]
    assert {name: it.path for name, it in upgraded.parameter_mapping.items()} == {
        "long": "job.x",
        "kept": "run.attempt",
    }


def test_a_flat_file_of_job_names_is_version_1_and_keeps_its_defaults():
    loaded = load({"description": "x", "defaults": {"max_attempts": 3}, "a": {"on_success": [RULE]}})
    assert loaded.config.workflows["a"].on_success[0].max_attempts == 3


def test_a_function_on_a_type_it_does_not_take_is_null():
    assert evaluate("length(a)", {"a": 1}) is None
