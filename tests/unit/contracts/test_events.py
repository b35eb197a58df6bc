import base64
import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from dwh_contracts import facts, ids
from dwh_contracts.attributes import attributes_of, subject_of
from dwh_contracts.canonical import canonical_json
from dwh_contracts.claim_check import claim_check_message, needs_claim_check
from dwh_contracts.cloudevents import to_cloud_event
from dwh_contracts.event_ids import expected_event_id
from dwh_contracts.openlineage import run_uuid, to_openlineage
from dwh_contracts.parse import event_from_body, family_of, parse_event
from dwh_contracts.quarantine import QuarantineReason, Refused, quarantine_record
from dwh_contracts.testing import (
    MANIFEST_SHA256,
    a_job_event,
    a_job_started,
    an_approval_decision,
    an_envelope,
)
from dwh_contracts.texts import cut
from dwh_contracts.times import format_time, parse_time
from dwh_contracts.triggers import parse_trigger_message

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RUN = ("dev", "transform_images", "run-1")
NOISE = {"schema_version": "1.0", "timestamp": "2026-11-23T08:00:00Z"}


def parsed(body, environment="dev", **options):
    return parse_event(json.dumps(body).encode(), environment=environment, now=NOW, **options)


def refusal(body, **options):
    with pytest.raises(Refused) as refused:
        parsed(body, **options)
    return refused.value.reason.value, refused.value.path


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (an_envelope("job_started"), ids.job_event_id("job_started", *RUN, 1)),
        (
            an_envelope("openlineage", openlineage={"eventType": "START"}),
            ids.openlineage_id(*RUN, 1, "START"),
        ),
        (an_envelope("openlineage", openlineage=None), ids.openlineage_id(*RUN, 1, "")),
        (
            an_envelope("dag_run_created", dag_id="d", dag_run_id="r"),
            ids.dag_run_created_id("dev", "d", "r"),
        ),
        (
            an_envelope("dag_run_finished", dag_id="d", dag_run_id="r", end_date="t"),
            ids.dag_run_finished_id("dev", "d", "r", "t"),
        ),
        (an_envelope("trigger_failed", trigger_id="t"), ids.trigger_failed_id("dev", "t")),
        (
            an_envelope("run_published", artifacts_manifest={"sha256": "m"}),
            ids.publication_id("run_published", *RUN, 1, "m"),
        ),
        (
            an_envelope("approval_decision", decision="APPROVED", decided_by="me"),
            ids.approval_decision_id(*RUN, 1, "APPROVED", "me"),
        ),
        (an_envelope("approval_accepted"), ids.approval_event_id("approval_accepted", *RUN, 1)),
        (an_envelope("approval_reminder", stage=50), ids.approval_reminder_id(*RUN, 1, 50)),
        (an_envelope("approval_verdict", decision_event_id="e"), ids.approval_verdict_id("dev", "e")),
    ],
    ids=lambda value: value["event_type"] if isinstance(value, dict) else "",
)
def test_an_event_has_the_id_of_its_kind(body, expected):
    assert expected_event_id(body) == expected


def test_ids_without_an_event_differ_by_kind():
    made = {
        ids.trigger_id(*RUN, 1, "on_success", "filter"),
        ids.alert_id(*RUN, "quality_red"),
        ids.incident_id("dev", "key", 1),
        ids.approval_refused_id("dev", "hash"),
    }
    assert len(made) == 4


def trigger(step):
    return facts.trigger_fact(
        step,
        a_job_event(),
        key="trigger|t",
        trigger={"trigger_id": "t", "type": "sqs_mwaa", "target": "d"},
        timestamp=NOW,
        now=NOW,
    )


def a_transition(cause=None, **more):
    incident = {"environment": "dev", "incident_id": "i", "rev": 2, **more}
    return facts.incident_transition(incident, transition="opened", timestamp=NOW, now=NOW, cause=cause)


FACTS = [
    facts.decision_recorded(a_job_event(), service="orchestrator", rules=[], now=NOW),
    *(trigger(step) for step in ("requested", "sent", "failed", "skipped")),
    a_transition(),
    a_transition(job_name="transform_images"),
    a_transition(cause=a_job_event()),
    facts.notification_fact(
        "sent",
        environment="dev",
        key="notify|i|2|hook",
        sink="hook",
        incident_id="i",
        rev=2,
        timestamp=NOW,
        now=NOW,
    ),
    facts.system_fact(
        "config_accepted",
        environment="dev",
        service="orchestrator",
        subject="workflow",
        version="v1",
        timestamp=NOW,
        now=NOW,
    ),
]


@pytest.mark.parametrize("body", FACTS, ids=lambda body: body["event_type"])
def test_a_fact_is_complete_and_has_the_id_of_its_kind(body):
    event = event_from_body(body)
    assert (event.event_id, event.family) == (expected_event_id(body), "effect")


def test_a_fact_without_a_run_has_no_names_and_attempt_1():
    event = event_from_body(FACTS[-1])
    assert (event.job_name, event.job_run_id, event.attempt) == ("", "", 1)


def test_the_same_event_type_is_a_job_event_from_the_dispatcher_and_a_fact_from_us():
    assert event_from_body(an_envelope("trigger_failed", trigger_id="t", reason="r")).family == "job"
    assert event_from_body(trigger("failed")).family == "effect"


def test_families_are_known_by_type():
    assert [family_of(name) for name in ("job_completed", "approval_verdict", "queue_depth")] == [
        "job",
        "approval",
        "effect",
    ]
    with pytest.raises(ValueError, match="unknown event type"):
        family_of("fax")


def test_an_event_of_another_family_is_unknown():
    assert refusal(a_job_event(), family="approval") == ("unknown-event-type", "event_type")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"failure_type": "QUALITY"}, ("inconsistent-status", "failure_type")),
        ({"artifacts_available": False}, ("inconsistent-status", "artifacts_available")),
        ({"error": {"type": "E"}}, ("inconsistent-status", "error")),
        (
            {"quality": {"status": "RED", "evaluated": True, "checks": []}},
            ("inconsistent-status", "quality.status"),
        ),
        (
            {"quality": {"status": "YELLOW", "evaluated": False, "checks": []}},
            ("inconsistent-status", "quality.evaluated"),
        ),
        (
            {
                "quality": {
                    "status": "YELLOW",
                    "evaluated": True,
                    "checks": [{"name": "c", "status": "GREEN"}],
                }
            },
            ("inconsistent-status", "quality.status"),
        ),
        ({"event_type": 3}, ("wrong-type", "event_type")),
        ({"schema_version": 1}, ("wrong-type", "schema_version")),
        ({"timestamp": 3}, ("wrong-type", "timestamp")),
        ({"timestamp": "2026-13-01T00:00:00Z"}, ("bad-time", "timestamp")),
    ],
)
def test_a_wrong_field_is_refused_with_its_path(change, expected):
    assert refusal({**a_job_event(), **change}) == expected


@pytest.mark.parametrize(
    "body",
    [
        a_job_event(),
        a_job_event(quality_status="YELLOW"),
        a_job_event(quality_status="RED"),
        a_job_event(status="FAILED"),
        a_job_event(evaluated=False),
    ],
)
def test_every_row_of_the_status_table_is_accepted(body):
    assert parsed(body).body == body


def test_nothing_says_what_it_is():
    assert refusal({"schema_version": "1.0"}) == ("missing-field", "event_type")


def test_a_message_above_the_hard_limit_is_too_large():
    assert refusal(a_job_event(note="x" * 300_000)) == ("too-large", None)


def test_a_cloud_event_is_unwrapped():
    body = a_job_event()
    assert parsed(to_cloud_event(body)).body == body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"specversion": 1}, ("wrong-type", "specversion")),
        ({"specversion": "2.0"}, ("unsupported-version", "specversion")),
        ({"specversion": "1.0"}, ("missing-field", "data")),
        ({"specversion": "1.0", "data": []}, ("wrong-type", "data")),
    ],
)
def test_a_cloud_event_without_an_event_is_refused(body, expected):
    assert refusal(body) == expected


def pointer(raw=b"", uri="s3://dwh-dev-data/x", **over):
    return {"uri": uri, "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest(), **over}


def absent(check):
    raise FileNotFoundError(check["uri"])


def test_a_large_event_is_read_where_its_claim_check_points():
    body = a_job_event(note="x" * 210_000)
    raw = canonical_json(body)
    message = claim_check_message(body, "s3://dwh-dev-data/x", raw)
    assert needs_claim_check(raw)
    assert not needs_claim_check(canonical_json(message))
    assert parsed(message, expand=lambda _: raw).body == body


@pytest.mark.parametrize(
    ("check", "expand", "expected"),
    [
        (3, None, ("wrong-type", "claim_check")),
        (pointer(), None, ("claim-check-missing", "claim_check.uri")),
        (pointer(), absent, ("claim-check-missing", "claim_check.uri")),
        (pointer(bytes=9), lambda _: b"", ("claim-check-mismatch", "claim_check.bytes")),
        (pointer(sha256="0" * 64), lambda _: b"", ("claim-check-mismatch", "claim_check.sha256")),
        (pointer(uri="s3://dwh-prod-data/x"), lambda _: b"", ("claim-check-mismatch", "claim_check.uri")),
        (pointer(uri="file:///dwh-dev-data/x"), lambda _: b"", ("claim-check-mismatch", "claim_check.uri")),
    ],
)
def test_a_claim_check_that_does_not_hold_is_refused(check, expand, expected):
    assert refusal({"claim_check": check}, expand=expand) == expected


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("file:///tmp/dwh-local-data/x", True),
        ("file:///tmp/dwh-local-data/../x", False),
        ("file:///tmp/dwh-local-data/%2e%2e/x", False),
        ("file:///tmp/x", False),
    ],
)
def test_a_local_claim_check_stays_in_its_folder(uri, allowed):
    body = a_job_event(environment="local")
    raw = canonical_json(body)
    message = {"claim_check": pointer(raw, uri)}
    if allowed:
        assert parsed(message, "local", expand=lambda _: raw).body == body
    else:
        assert refusal(message, environment="local", expand=lambda _: raw)[0] == "claim-check-mismatch"


def original(**over):
    body = {**a_job_event(), **over}
    return {
        name: value
        for name, value in body.items()
        if name not in {"schema_version", "environment", "event_id"}
    }


def test_the_original_form_names_its_environment_in_the_metrics_or_nowhere():
    assert parsed(original()).environment == "dev"
    assert refusal(original(metrics=3))[0] == "wrong-type"


def test_the_original_form_of_an_approval_is_from_the_topic_and_unverified():
    decision = an_approval_decision()
    old = {name: decision[name] for name in ("event_type", "job_name", "job_run_id", "timestamp")}
    more = {"decision": "APPROVED", "decided_by": "me", "reason": "long enough"}
    body = parsed({**old, **more}).body
    assert (body["channel"], body["decided_by_verified"], body["attempt"]) == ("topic", False, 1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"timestamp": 3}, ("wrong-type", "timestamp")),
        ({"timestamp": "soon"}, ("bad-time", "timestamp")),
        ({"artifacts": {"a": 3}}, ("wrong-type", "artifacts.0")),
    ],
)
def test_what_cannot_be_brought_to_the_current_form_is_refused(change, expected):
    assert refusal(original(**change)) == expected


def test_phases_error_and_absent_quality_of_the_original_form_do_not_stop_the_reading():
    metrics = {**a_job_event()["metrics"], "phases": {"load": {"start_time": "2026-11-23T08:00:00"}, "x": 3}}
    assert refusal(original(metrics=metrics)) == ("wrong-type", "metrics.phases.x")
    unphased = {name: value for name, value in metrics.items() if name != "phases"}
    assert parsed(original(metrics=unphased)).attempt == 1
    assert refusal(original(quality=3, error={"type": "E"}, metrics=3))[0] == "wrong-type"
    bare = {name: value for name, value in original().items() if name != "timestamp"}
    assert refusal(bare) == ("missing-field", "timestamp")


def test_times_are_read_in_any_offset_and_written_in_utc():
    assert format_time(parse_time("2026-11-23T08:01:48.123456789+02:00")) == "2026-11-23T06:01:48.123456Z"
    assert format_time(parse_time("2026-11-23 08:01:48")) == "2026-11-23T08:01:48.000000Z"
    assert parse_time("2026-11-23T08:01:48.250000Z").tzinfo == UTC
    with pytest.raises(ValueError, match="naive"):
        format_time(datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake


def test_attributes_leave_out_what_is_null():
    assert attributes_of(a_job_event()) == {
        "event_type": "job_completed",
        "event_id": a_job_event()["event_id"],
        "environment": "dev",
        "schema_version": "1.0",
        "job_name": "transform_images",
        "status": "SUCCESS",
        "quality_status": "GREEN",
    }
    assert attributes_of(an_approval_decision())["decision"] == "APPROVED"
    assert "quality_status" not in attributes_of(a_job_started())


def test_a_subject_is_short_printable_ascii():
    assert subject_of(a_job_event()) == "Job Event: transform_images - SUCCESS"
    assert subject_of({"job_name": "ü" * 200, "status": "x"}) == "Job Event: " + "?" * 88


@pytest.mark.parametrize(("raw", "encoding"), [(b"{", "utf-8"), (b"\xff", "base64")])
def test_a_redelivered_refusal_is_one_record(raw, encoding):
    refused = Refused(QuarantineReason.NOT_JSON)
    record, again = (quarantine_record("indexer", None, raw, {}, refused, NOW) for _ in range(2))
    assert record == again
    kept = record.raw.encode() if encoding == "utf-8" else base64.b64decode(record.raw)
    assert (record.raw_encoding, kept) == (encoding, raw)


def test_a_text_over_the_limit_says_how_much_is_gone():
    assert cut("short", 100) == "short"
    assert cut("x" * 200, 100) == "x" * 60 + "…[cut 140]"


def test_openlineage_says_what_the_run_did():
    started = to_openlineage(event_from_body(a_job_started(causation_id="t")))
    assert (started["eventType"], started["run"]["facets"]["parent"]["job"]["name"]) == ("START", "t")
    red = to_openlineage(event_from_body(a_job_event(quality_status="RED")))
    assert red["run"]["runId"] == started["run"]["runId"] == run_uuid("dev/transform_images/run-1", 1)
    assert uuid.UUID(red["run"]["runId"]).version == 5
    [output] = red["outputs"]
    assert red["eventType"] == "COMPLETE"
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 106_200
    assert output["inputFacets"]["dataQualityAssertions"]["assertions"] == [
        {"assertion": "drop_rate", "success": False, "severity": "error"}
    ]


def test_openlineage_of_a_failed_run_carries_its_error():
    failed = to_openlineage(event_from_body(a_job_event(status="FAILED")))
    assert failed["eventType"] == "FAIL"
    assert failed["run"]["facets"]["errorMessage"]["message"] == "no partition"


def test_openlineage_without_checks_asserts_nothing():
    [output] = to_openlineage(event_from_body(a_job_event(evaluated=False)))["outputs"]
    assert "inputFacets" not in output
    green = to_openlineage(event_from_body(a_job_event()))["outputs"][0]["inputFacets"]
    assert green["dataQualityAssertions"]["assertions"] == [{"assertion": "drop_rate", "success": True}]


def test_an_approval_is_no_run_event():
    with pytest.raises(TypeError, match="no run event"):
        to_openlineage(event_from_body(an_approval_decision()))


def a_trigger(**over):
    body = {
        **NOISE,
        "trigger_id": "t",
        "dag_id": "d",
        "run_id": "r",
        "environment": "dev",
        "source": {},
        "conf": {},
    }
    return json.dumps({**body, **over}).encode()


@pytest.mark.parametrize(
    ("over", "reason"), [({"dag_id": "a b"}, "bad-name"), ({"environment": "prod"}, "wrong-environment")]
)
def test_a_trigger_message_that_is_not_ours_is_refused(over, reason):
    with pytest.raises(Refused) as refused:
        parse_trigger_message(a_trigger(**over), "dev")
    assert refused.value.reason == reason


def test_a_publication_needs_its_manifest():
    body = an_envelope("run_published", pointer={"uri": "u"})
    assert refusal(body) == ("missing-field", "artifacts_manifest")
    whole = {**body, "artifacts_manifest": {"uri": "u", "bytes": 1, "sha256": MANIFEST_SHA256}}
    assert parsed(whole).event_id == ids.publication_id("run_published", *RUN, 1, MANIFEST_SHA256)


@pytest.mark.parametrize(
    "name", ["../x", "_all", "a,b", "images\N{FRAME WITH PICTURE}", "x" * 201, "*", "", ".", "a b"]
)
def test_a_job_name_of_which_no_index_may_be_made_is_a_bad_name(name):
    assert refusal(a_job_event(job_name=name)) == ("bad-name", "job_name")


@pytest.mark.parametrize(
    ("moment", "refused"),
    [
        (NOW - timedelta(days=400), False),
        (NOW - timedelta(days=400, milliseconds=1), True),
        (NOW + timedelta(hours=24), False),
        (NOW + timedelta(hours=24, milliseconds=1), True),
    ],
)
def test_400_days_back_and_a_day_ahead_is_as_far_as_a_time_may_lie(moment, refused):
    body = a_job_event(timestamp=format_time(moment))
    if refused:
        assert refusal(body) == ("time-out-of-range", "timestamp")
    else:
        assert parsed(body).timestamp == moment
