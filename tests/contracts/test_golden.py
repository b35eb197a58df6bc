import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dwh_contracts.arrays import to_array
from dwh_contracts.canonical import content_hash
from dwh_contracts.event_ids import expected_event_id
from dwh_contracts.events import QualityStatus
from dwh_contracts.ids import digest
from dwh_contracts.parse import event_from_body, parse_event
from dwh_contracts.quality import drop_rate, level, shown, worst
from dwh_contracts.quarantine import Refused
from dwh_contracts.routes import load_alert_routes
from dwh_contracts.schemas import schemas, write
from dwh_contracts.triggers import parse_trigger_message, trigger_attributes
from dwh_contracts.workflow import compile_expression, evaluate, load_workflow_config
from dwh_contracts.workflow_v1 import rooted

GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = Path(__file__).parents[2] / "libs/contracts/schemas"
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
EVENTS = sorted(GOLDEN.glob("job_*.json")) + sorted(GOLDEN.glob("approval_*.json"))
BAD = json.loads((GOLDEN / "bad/expected.json").read_text())


def golden(name):
    return json.loads((GOLDEN / name).read_text())


def parsed(path):
    return parse_event(path.read_bytes(), environment="dev", now=NOW)


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_a_golden_event_is_stored_and_read_back_unchanged(path):
    event = parsed(path)
    again = event_from_body(json.loads(json.dumps(event.body)))
    assert (again.body, again.content_hash, again.stream) == (event.body, event.content_hash, event.stream)


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_a_golden_event_of_the_current_form_keeps_every_field(path):
    raw = json.loads(path.read_text())
    if "schema_version" not in raw:
        pytest.skip("original form")
    assert parsed(path).body == {"event_id": expected_event_id(raw), **raw}


def test_the_original_form_becomes_the_current_one():
    event = parsed(GOLDEN / "job_completed_legacy_0x.json")
    assert event.body["schema_version"] == "1.0"
    assert isinstance(event.body["artifacts"], list)
    assert event.event_id == expected_event_id(event.body)


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_message_is_refused_for_exactly_one_reason(name):
    with pytest.raises(Refused) as refused:
        parsed(GOLDEN / "bad" / name)
    assert {"reason": refused.value.reason, "path": refused.value.path} == BAD[name]


def test_every_bad_message_has_an_expectation():
    assert {path.name for path in (GOLDEN / "bad").iterdir()} - {"expected.json"} == set(BAD)


@pytest.mark.parametrize("case", golden("ids.json"), ids=lambda case: case["kind"])
def test_ids_are_those_of_the_vectors(case):
    assert digest(*case["parts"]) == case["id"]


@pytest.mark.parametrize("case", golden("content_hash.json"))
def test_content_hashes_are_those_of_the_vectors(case):
    assert content_hash(case["event"]) == case["content_hash"]


@pytest.mark.parametrize("case", golden("arrays.json"))
def test_objects_become_arrays_as_in_the_vectors(case):
    arguments = case["in"], case["key_name"], case["value_name"]
    if "error" in case:
        with pytest.raises(ValueError, match=case["error"]):
            to_array(*arguments)
    else:
        assert to_array(*arguments) == case["out"]


@pytest.mark.parametrize("case", golden("quality.json")["drop_rate"])
def test_drop_rates_are_judged_as_in_the_vectors(case):
    value = drop_rate(case["read"], case["dropped"])
    assert level(value, case["yellow"], case["red"]) == (case["status"], case["threshold"])
    assert shown(value) == case["value"]


@pytest.mark.parametrize("case", golden("quality.json")["worst_of"])
def test_the_worst_check_decides(case):
    assert worst(QualityStatus(status) for status in case["checks"]) == case["status"]


def mapping_context():
    return {
        "job": golden("job_completed_red.json"),
        "approval": golden("approval_approved.json"),
        "run": {
            "environment": "dev",
            "stream": parsed(GOLDEN / "job_completed_red.json").stream,
            "attempt": 1,
        },
    }


@pytest.mark.parametrize("case", golden("mapping.json")["v2"], ids=lambda case: case["expression"])
def test_expressions_map_as_in_the_vectors(case):
    if "error" in case:
        with pytest.raises(ValueError, match=case["error"]):
            compile_expression(case["expression"])
    else:
        assert evaluate(case["expression"], mapping_context()) == case["expected"]


@pytest.mark.parametrize("case", golden("mapping.json")["v1_under_job"], ids=lambda case: case["path"])
def test_paths_of_version_1_are_taken_under_job(case):
    assert evaluate(rooted(case["path"]), mapping_context()) == case["expected"]


def test_a_trigger_message_says_who_starts_what():
    message = parse_trigger_message((GOLDEN / "trigger_message.json").read_bytes(), "dev")
    assert json.loads(message.model_dump_json()) == golden("trigger_message.json")
    assert trigger_attributes(message) == {
        "dag_id": "filter_image_glue_pyspark",
        "source_job": "transform_images",
        "trigger_id": message.trigger_id,
    }


def test_a_trigger_message_of_the_old_form_gets_the_same_id_every_time():
    raw = (GOLDEN / "trigger_message_legacy.json").read_bytes()
    message = parse_trigger_message(raw, "dev")
    assert message == parse_trigger_message(json.dumps(json.loads(raw), indent=3).encode(), "dev")
    assert message.run_id == f"trig__transform_images__{message.trigger_id}"
    assert message.conf == golden("trigger_message_legacy.json")["conf"]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_golden_workflow_configs_load(version):
    loaded = load_workflow_config((GOLDEN / f"workflow_config_{version}.json").read_bytes())
    assert loaded.config.workflows["transform_images"].on_success[0].target == "filter_image_glue_pyspark"


def test_golden_alert_routes_load():
    routes = load_alert_routes(
        (GOLDEN / "alert_routes.json").read_bytes(),
        secrets={"pagerduty-images", "slack-images", "hook"},
        hosts={"*.example.com"},
    )
    assert [(route.id, route.goes_on) for route in routes.routes] == [
        ("images-critical", False),
        ("images-chat", True),
    ]


def keys_and_texts(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield "key", key
            yield from keys_and_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_and_texts(inner)
    elif isinstance(value, str):
        yield "text", value


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_no_key_of_a_payload_comes_from_the_data(path):
    body = parsed(path).body
    found = list(keys_and_texts(body.get("metrics", {}).get("payload", {})))
    keys = {text for kind, text in found if kind == "key"}
    names = {artifact["name"] for artifact in body.get("artifacts", [])}
    # "dropped" is both a category and the name of a count.
    assert keys.isdisjoint((names | {text for kind, text in found if kind == "text"}) - {"dropped"})
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", key) for key in keys)


def test_the_committed_schemas_are_those_of_the_models(tmp_path):
    (tmp_path / "gone.json").write_text("{}")
    write(tmp_path)
    write(tmp_path)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == schemas() == {path.name: path.read_text() for path in SCHEMAS.iterdir()}
