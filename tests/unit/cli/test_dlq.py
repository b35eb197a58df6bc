import json
from pathlib import Path

import pytest
from dwh_cli.dlq import _complete, _ended, _tell
from dwh_cli.exits import No, NoServer, Usage
from dwh_cli.letters import VALID, VALID_TRIGGER, described, matcher, queue_name, verdict, why
from dwh_contracts.clock import SystemClock
from dwh_contracts.testing import a_job_event
from dwh_contracts.times import format_time
from faststream_sqs.parking import parked_copy, parking_details
from faststream_sqs.redrive import DeadLetter, Redriven
from faststream_sqs.testing import a_delivery
from faststream_sqs.transport.protocol import RawMessage, TransportError

GOLDEN = Path(__file__).parents[2] / "contracts" / "golden"
NOW = SystemClock().now()


def a_letter(body="{}", *, error=None, reason="", attributes=None):
    delivery = a_delivery(body, queue="dwh-local-alerts", attributes=attributes, receive_count=5)
    delivery.failure = error
    copy = parked_copy(delivery, reason=reason, now=1_760_000_000.0, fifo=False)
    raw = RawMessage("m-1", "r", copy.body, copy.attributes)
    return DeadLetter(raw, parking_details(copy.attributes))


def an_event(**changes):
    return json.dumps(a_job_event(environment="local", timestamp=format_time(NOW)) | changes)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("alerts", "dwh-local-alerts"),
        ("alerts-dlq", "dwh-local-alerts"),
        ("dwh-local-mwaa-triggers", "dwh-local-mwaa-triggers"),
        ("dwh-local-alerts-dlq", "dwh-local-alerts"),
        ("https://sqs.eu-west-1.amazonaws.com/1/other-dlq", "https://sqs.eu-west-1.amazonaws.com/1/other"),
    ],
)
def test_queue_is_known_by_its_short_name_its_whole_name_and_its_address(given, name):
    assert queue_name(given, "local") == name


@pytest.mark.parametrize(
    ("queue", "body", "text"),
    [
        ("dwh-local-alerts", an_event(), VALID),
        ("dwh-local-alerts", "{no json", "not-json"),
        ("dwh-local-alerts", an_event(environment="prod"), "wrong-environment: environment: this is local"),
        ("dwh-local-alerts", an_event(status="DONE"), "enum-out-of-range: status"),
        ("dwh-local-mwaa-triggers", '{"dag_id": "d", "conf": {}}', VALID_TRIGGER),
        ("dwh-local-mwaa-triggers", '{"dag_id": "a b", "conf": {}}', "dag_id"),
        (
            "dwh-local-alerts",
            '{"Type": "Notification", "TopicArn": "arn:aws:sns:r:1:t", "MessageId": "m", "Message": 1}',
            "its Message is no text",
        ),
    ],
)
def test_body_is_judged_again_as_its_service_would(queue, body, text):
    assert text in verdict(queue, body, environment="local", now=NOW)


def test_golden_trigger_message_is_judged_by_its_environment():
    body = (GOLDEN / "trigger_message.json").read_text()
    own = json.loads(body)["environment"]
    assert verdict("x-mwaa-triggers", body, environment=own, now=NOW) == VALID_TRIGGER
    assert "wrong-environment" in verdict("x-mwaa-triggers", body, environment="elsewhere", now=NOW)


@pytest.mark.parametrize(
    ("letter", "text"),
    [
        (a_letter(error=KeyError("price")), "the handler failed: KeyError: 'price'"),
        (a_letter(reason="bad"), "bad"),
        (DeadLetter(RawMessage("m", "r", "{}"), {}), "moved by SQS"),
    ],
    ids=["failed", "rejected", "moved"],
)
def test_reason_of_a_letter_is_one_line(letter, text):
    assert why(letter).startswith(text)


def test_letter_is_shown_with_its_details_and_the_attributes_it_had():
    letter = a_letter("[1]", error=OSError("away"), attributes={"kind": "new", "headers": '{"tenant":"a"}'})
    shown = described(letter, "fine")
    assert (shown["body"], shown["check"]) == ("[1]", "fine")
    assert shown["attributes"] == {"kind": "new", "tenant": "a"}
    assert (shown["details"]["exception_type"], shown["details"]["attempts"]) == ("OSError", 5)
    assert "headers" not in shown["details"]


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        ([], True),
        (["exception_type=KeyError"], True),
        (["exception_type=OSError"], False),
        (["kind=new", "tenant=a"], True),
        (["kind=new", "tenant=b"], False),
        (["job_name=j"], True),
        (["body.message=of the body"], True),
        (["message=of the body"], False),
        (["source.attempt=2"], True),
        (["body.ok=true"], True),
        (["attributes.job_name=j"], False),
        (["nothing=x"], False),
        (["job_name=a=b"], False),
    ],
)
def test_letters_are_chosen_by_details_attributes_and_body(wanted, matches):
    body = {
        "job_name": "j",
        "message": "of the body",
        "nested": {"x": 1},
        "ok": True,
        "source": {"attempt": 2},
    }
    letter = a_letter(
        json.dumps(body), error=KeyError("price"), attributes={"kind": "new", "headers": '{"tenant":"a"}'}
    )
    assert matcher(wanted)(letter) is matches


@pytest.mark.parametrize("text", ["", "x", "=x"])
def test_match_without_a_key_and_a_value_is_wrong_usage(text):
    with pytest.raises(Usage, match="is not key=value"):
        matcher([text])


def test_letter_that_is_no_json_matches_by_its_details_only():
    letter = a_letter("[" * 100_000, error=KeyError("price"))
    assert matcher(["exception_type=KeyError"])(letter)
    assert not matcher(["job_name=j"])(letter)


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (TransportError("QueueDoesNotExist", "", retryable=False), No),
        (TransportError("NoDeadLetterQueue", "no redrive policy", retryable=False), No),
        (TransportError("AccessDenied", "", retryable=False), Usage),
        (TransportError("NoCredentialsError", ""), Usage),
        (TransportError("EndpointConnectionError", "http://127.0.0.1:9"), NoServer),
        (TransportError("ThrottlingException", ""), NoServer),
    ],
    ids=str,
)
def test_exit_follows_from_what_a_person_can_do(error, end):
    assert type(_ended(error)) is end


@pytest.mark.parametrize(
    ("done", "text"),
    [
        (Redriven(["a", "b"], [], {}, {"a": "InternalError"}), "1 of those sent back are still dead letters"),
        (Redriven(["a"], ["b"], {}, {}, 7), "about 7 dead letters stand behind others of their FIFO group"),
        (Redriven(["a"], ["b"], {"b": "bad"}), "1 dead letters were not taken"),
        (Redriven([], ["b"], {}), "of 1 dead letters none is to be sent back"),
    ],
    ids=["undeleted", "unseen", "refused", "none"],
)
def test_redrive_that_is_not_complete_ends_with_what_is_left(done, text):
    with pytest.raises(No, match=text):
        _complete("q", done)


def test_letter_that_was_sent_and_stays_is_told_with_its_reason(capsys):
    _tell("q", Redriven(["a"], [], {}, {"a": "InternalError"}), {}, dry_run=False)
    assert capsys.readouterr().out == "a  sent back, but not deleted: InternalError\nq: 1 sent back, 0 stay\n"


def test_redrive_of_all_is_complete():
    _complete("q", Redriven(["a"], [], {}))
