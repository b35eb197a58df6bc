"""What the dispatcher reads out of a message."""

import json

import event_dispatcher as dispatcher
import pytest
from messages import a_trigger

ENVIRONMENT = "local"


def trigger_of(body):
    text = body if isinstance(body, str) else json.dumps(body)
    return dispatcher.validate(dispatcher.read_body(text, ENVIRONMENT), ENVIRONMENT)


def test_a_valid_message_is_a_trigger_with_its_own_run_id_and_conf():
    body = a_trigger("valid")
    trigger = trigger_of(body)
    assert (trigger.trigger_id, trigger.dag_id) == (body["trigger_id"], "echo_target")
    assert (trigger.run_id, trigger.conf) == (body["run_id"], body["conf"])
    assert trigger.source == dispatcher.Source("transform_images", "run-valid", 1)


def test_unknown_fields_and_a_higher_minor_version_are_read():
    assert trigger_of(a_trigger("minor", schema_version="1.7", colour="blue")).dag_id == "echo_target"


def test_the_old_form_gets_the_hash_of_its_canonical_body_as_trigger_id():
    conf = {"triggered_by_job": "transform_images", "triggered_by_run_id": "r-9", "start_date": "2025-01-01"}
    trigger = trigger_of({"dag_id": "filter_image_glue_pyspark", "conf": conf})
    assert trigger.trigger_id == "8a1eab3279849111122c7a3d7eab5e6e"
    assert trigger.run_id == f"trig__transform_images__{trigger.trigger_id}"
    assert trigger.conf == conf
    assert trigger.source == dispatcher.Source("transform_images", "r-9", 1)


def test_key_order_does_not_change_the_id_of_an_old_form():
    one = trigger_of('{"dag_id": "d", "conf": {"a": "ü", "b": 2}}')
    other = trigger_of('{"conf":{"b":2,"a":"\\u00fc"},"dag_id":"d"}')
    assert one == other
    assert one.source is None


def test_the_old_form_without_conf_has_an_empty_one():
    assert trigger_of({"dag_id": "echo_target"}).conf == {}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "not JSON"),
        ('{"dag_id": "echo_target", "conf":', "not JSON"),
        ('{"dag_id": "d", "conf": {"x": NaN}}', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"dag_id": "d", "conf": {"x": "\\ud800"}}', "not JSON"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        (a_trigger("x", schema_version="2.0"), "schema_version"),
        (a_trigger("x", schema_version=None), "schema_version"),
        (a_trigger("x", dag_id="a b"), "dag_id"),
        (a_trigger("x", dag_id="../d"), "dag_id"),
        (a_trigger("x", dag_id=7), "dag_id"),
        (a_trigger("x", dag_id="d" * 251), "dag_id"),
        (a_trigger("x", run_id=""), "run_id"),
        (a_trigger("x", run_id="line\nbreak"), "run_id"),
        (a_trigger("x", trigger_id=None), "trigger_id"),
        (a_trigger("x", conf=None), "conf"),
        (a_trigger("x", conf="{}"), "conf"),
        (a_trigger("x", environment="prod"), "environment"),
        (a_trigger("x", source={}), "source"),
        (a_trigger("x", source={"job_name": "a/b", "job_run_id": "r", "attempt": 1}), "source"),
        (a_trigger("x", source={"job_name": "a", "job_run_id": "r", "attempt": True}), "source"),
        ({"dag_id": "d", "conf": []}, "conf"),
        ({"conf": {}}, "dag_id"),
    ],
)
def test_a_malformed_message_is_refused_with_its_first_fault(body, reason):
    with pytest.raises(dispatcher.RefusedError, match=reason):
        trigger_of(body)


@pytest.mark.parametrize(
    ("text", "patterns"),
    [(None, None), ("", None), ("team_*", ["team_*"]), ('["a", "b_*"]', ["a", "b_*"]), ("[]", [])],
)
def test_the_allow_list_is_a_json_list_or_one_glob(text, patterns):
    assert dispatcher.allowed_patterns(text) == patterns


def test_a_listed_dag_is_allowed_without_asking_for_its_tags():
    dispatcher.require_allowed("team_a", ["other", "team_*"], pytest.fail)


@pytest.mark.parametrize(
    ("patterns", "tags"), [(["other"], {"dwh-target"}), ([], {"dwh-target"}), (None, {"dwh"})]
)
def test_a_dag_neither_listed_nor_tagged_is_refused(patterns, tags):
    with pytest.raises(dispatcher.RefusedError, match="team_a"):
        dispatcher.require_allowed("team_a", patterns, lambda _: tags)


def test_without_a_list_the_tag_decides():
    dispatcher.require_allowed("team_a", None, lambda _: {"x", "dwh-target"})
