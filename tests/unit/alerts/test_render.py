"""Every rendering is a pure function of one message, and text of an event is only ever a value."""

import json
from datetime import UTC, datetime

import pytest
from dwh_alerts.decide import apply, signals_of_decision, signals_of_run
from dwh_alerts.incident import Delivery, Head, Transition
from dwh_alerts.render import announcement, closing, comparison, email, for_sns, number, plain, subject
from dwh_alerts.routes import Routes
from dwh_contracts import ids
from dwh_contracts.alerts import AlertMessage
from dwh_contracts.canonical import JsonObject
from dwh_contracts.events import JobCompleted
from dwh_contracts.parse import event_from_body
from dwh_contracts.testing import a_job_event
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 8, 2, tzinfo=UTC)
ROUTES = Routes(console_url="https://console.example.com", runbook="https://runbooks.example.com/dwh/{rule}")
CHECKS: list[JsonObject] = [
    {"name": "min_records", "status": "GREEN", "value": 106200.0, "threshold": 1000.0, "message": None},
    {"name": "drop_rate", "status": "RED", "value": 0.115, "threshold": 0.1, "message": "drop rate 11.5%"},
]


def red(**changes: object) -> JobCompleted:
    body = a_job_event(
        environment="dev",
        job_name="transform_images",
        job_run_id="run-1",
        attempt=1,
        timestamp="2026-11-23T08:01:48.250000Z",
        quality_status="RED",
    )
    body["quality"] = {"status": "RED", "evaluated": True, "checks": CHECKS}
    return JobCompleted.model_validate({**body, **changes})


def message(run: JobCompleted) -> AlertMessage:
    event = event_from_body(run.model_dump(mode="json"))
    for signal in signals_of_run(event, run):
        if signal.raised is not None:
            step = apply(Head(incident_key=signal.incident_key), signal, now=NOW, routes=ROUTES)
            assert step.head.incident is not None
            assert step.raised is not None
            [told] = step.told
            return announcement(run, step.head.incident, step.raised, told, step.head.incident.links)
    raise AssertionError("this run raises nothing")


def test_a_red_run_becomes_this_message() -> None:
    run = red()
    told = message(run).model_dump(mode="json")
    assert told.pop("summary") == {
        name: run.metrics.model_dump()[name]
        for name in (
            "records_read",
            "records_written",
            "records_dropped",
            "bytes_written",
            "duration_seconds",
        )
    }
    assert told.pop("failed_checks")[0] | {"rule_version": None} == {**CHECKS[1], "rule_version": None}
    told = {name: value for name, value in told.items() if name not in {"top_drop_reasons", "details"}}
    assert told == {
        "schema_version": "1.0",
        "alert_id": ids.alert_id("dev", "transform_images", "run-1", "quality_red"),
        "incident_id": "fc11f61ca11ac3e0ee6e4d64f39b05e3",
        "dedup_key": "dev/transform_images/quality/1",
        "rev": 1,
        "transition": "opened",
        "state": "open",
        "severity": "critical",
        "rule": "quality_red",
        "environment": "dev",
        "job_name": "transform_images",
        "job_run_id": "run-1",
        "attempt": 1,
        "event_id": run.event_id,
        "raised_at": "2026-11-23T08:01:48.250000Z",
        "first_seen": "2026-11-23T08:01:48.250000Z",
        "last_seen": "2026-11-23T08:01:48.250000Z",
        "occurrences": 1,
        "suppressed_since_last": 0,
        "status": "PENDING_APPROVAL",
        "failure_type": "QUALITY",
        "quality_status": "RED",
        "title": "quality RED, drop_rate 0.115 >= 0.1",
        "error": None,
        "owner": None,
        "tags": [],
        "expires_at": None,
        "links": {
            "run": "https://console.example.com/runs/transform_images/run-1",
            "decide": None,
            "runbook": "https://runbooks.example.com/dwh/quality_red",
        },
        "possible_duplicate": False,
    }


def test_the_subject_is_the_one_of_the_design() -> None:
    assert subject(message(red())) == (
        "[CRITICAL] dev transform_images: quality RED, drop_rate 0.115 >= 0.1, decision needed"
    )


def test_sns_gets_json_for_machines_and_plain_text_for_people() -> None:
    told = message(red())
    rendered = for_sns(told)
    bodies = json.loads(rendered.body)
    assert bodies.keys() == {"default", "email"}
    assert AlertMessage.model_validate_json(bodies["default"]) == told
    assert rendered.attributes == {
        "severity": "critical",
        "rule": "quality_red",
        "transition": "opened",
        "environment": "dev",
        "job_name": "transform_images",
        "incident_id": told.incident_id,
    }


def test_the_owner_is_an_attribute_when_there_is_one() -> None:
    owned = message(red()).model_copy(update={"owner": "team-images"})
    assert for_sns(owned).attributes["owner"] == "team-images"


def test_the_email_says_what_happened_and_where_to_go() -> None:
    linked = message(red())
    links = linked.links.model_copy(update={"decide": "https://console.example.com/links/" + "t" * 120})
    text = email(linked.model_copy(update={"links": links, "possible_duplicate": True}))
    assert "CRITICAL quality RED, drop_rate 0.115 >= 0.1\n" in text
    assert f"Decide:\n{links.decide}\n" in text
    assert "Open run:\nhttps://console.example.com/runs/transform_images/run-1\n" in text
    assert "Check RED drop_rate 0.115 >= 0.1: drop rate 11.5%\n" in text
    assert "second copy" in text


def test_a_failed_run_is_told_with_its_error() -> None:
    body = a_job_event(environment="dev", job_name="nightly", job_run_id="r", status="FAILED")
    error = {"type": "SourceUnavailableError", "phase": "extract", "message": "no partition\nin the window"}
    told = message(JobCompleted.model_validate({**body, "error": error}))
    assert told.title == "job failed, SourceUnavailableError"
    assert told.error is not None
    assert told.error.message == "no partition in the window"
    assert "Error SourceUnavailableError: no partition in the window\n" in email(told)
    assert subject(told) == "[CRITICAL] dev nightly: job failed, SourceUnavailableError"


def test_a_rule_without_a_failed_check_is_told_by_its_name() -> None:
    body = red().model_dump(mode="json")
    body["quality"] = {"status": "RED", "evaluated": True, "checks": []}
    assert message(JobCompleted.model_validate(body)).title == "quality RED"


def test_the_end_is_told_in_the_words_of_the_beginning() -> None:
    run = red()
    event = event_from_body(run.model_dump(mode="json"))
    [raised] = [signal for signal in signals_of_run(event, run) if signal.raised]
    head = apply(Head(incident_key=raised.incident_key), raised, now=NOW, routes=ROUTES).head
    approved = event_from_body(
        {
            "schema_version": "1.0",
            "event_type": "approval_decision",
            "event_id": "10344ae69e547120216d23726619ee50",
            "environment": "dev",
            "job_name": "transform_images",
            "job_run_id": "run-1",
            "attempt": 1,
            "timestamp": "2026-11-23T09:15:00.000000Z",
            "decision": "APPROVED",
            "decided_by": "approver@example.com\u202e",
            "reason": "the vendor re-keyed the batch",
        }
    )
    [decided] = signals_of_decision(approved)
    step = apply(head, decided, now=NOW, routes=ROUTES)
    assert step.head.incident is not None
    over = closing(message(run), step.head.incident, step.told[0], decided)
    assert (over.transition, over.state, over.rev, over.alert_id) == (
        "resolved",
        "resolved",
        2,
        message(run).alert_id,
    )
    assert subject(over) == "[RESOLVED] dev transform_images: quality RED, APPROVED by approver@example.com"


def test_the_end_by_a_later_run_names_it() -> None:
    body = a_job_event(
        environment="dev", job_name="transform_images", job_run_id="run-2", quality_status="GREEN"
    )
    green = JobCompleted.model_validate(body)
    event = event_from_body(green.model_dump(mode="json"))
    [signal] = [signal for signal in signals_of_run(event, green) if signal.family == "quality"]
    run = red()
    [raised] = [
        each for each in signals_of_run(event_from_body(run.model_dump(mode="json")), run) if each.raised
    ]
    incident = apply(Head(incident_key=raised.incident_key), raised, now=NOW, routes=ROUTES).head.incident
    assert incident is not None
    delivery = Delivery(rev=2, sink="sns-critical", transition=Transition.RESOLVED)
    assert closing(message(run), incident, delivery, signal).title == "quality RED, cleared by run run-2"


@pytest.mark.parametrize(
    ("value", "threshold", "said"),
    [(0.115, 0.1, "c 0.115 >= 0.1"), (3.0, 1000, "c 3 < 1000"), (None, 1.0, "c"), (1.0, None, "c")],
)
def test_a_comparison_reads_as_it_was_made(value: float | None, threshold: float | None, said: str) -> None:
    assert comparison("c", value, threshold) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(106200.0, "106200"), (0.12345, "0.1235"), (0, "0"), (12_000_000, "12000000"), (-0.5, "-0.5")],
)
def test_numbers_have_four_digits_and_no_exponent(value: float, said: str) -> None:
    assert number(value) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\r\nb\tc", "a b c"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("x\u202egnp.exe", "x gnp.exe"),
        ("{{ 7*7 }} <!channel>", "{{ 7*7 }} <!channel>"),
        ("y" * 60, "y" * 49 + "…"),
    ],
)
def test_text_of_an_event_is_cleaned_and_cut(text: str, said: str) -> None:
    assert plain(text, 50) == said


def test_the_five_worst_checks_and_the_three_largest_drop_reasons_are_shown() -> None:
    checks = [
        {"name": f"c{n}", "status": "RED" if n > 5 else "YELLOW", "value": 1, "threshold": 1}
        for n in range(8)
    ]
    body = red().model_dump(mode="json")
    body["quality"] = {"status": "RED", "evaluated": True, "checks": checks}
    body["metrics"]["drop_reasons"] = [{"reason": f"r{n}", "count": n} for n in range(6)]
    told = message(JobCompleted.model_validate(body))
    assert [check.name for check in told.failed_checks] == ["c6", "c7", "c0", "c1", "c2"]
    assert [reason.reason for reason in told.top_drop_reasons] == ["r5", "r4", "r3"]


HOSTILE = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


@settings(deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_text_of_an_event_breaks_a_rendering(name: str, said: str, reason: str) -> None:
    body = red().model_dump(mode="json")
    body["quality"]["checks"] = [
        {"name": name, "status": "RED", "value": 1e300, "threshold": -0.0, "message": said * 15}
    ] * 5
    body["metrics"]["drop_reasons"] = [{"reason": reason, "count": 1}]
    rendered = for_sns(message(JobCompleted.model_validate(body)))
    assert len(rendered.subject) <= 99
    assert rendered.subject.isascii()
    assert rendered.subject.isprintable()
    bodies = json.loads(rendered.body)
    assert len(bodies["default"].encode()) <= 32 * 1024
    assert len(bodies["email"].encode()) <= 8 * 1024
    lines = bodies["email"].split("\n")
    assert all(len(line) <= 72 or line.startswith("https://") for line in lines)
    assert all(
        character.isprintable() or character == "\n" or ord(character) > 0x9F for character in bodies["email"]
    )
