"""Events on the wire: what a subscriber of the topic gets from a run, and from a spool sent by hand."""

from __future__ import annotations

import json
from pathlib import Path
from time import monotonic
from typing import Any

import boto3
import pytest
from dwh_contracts.attributes import attributes_of, subject_of
from dwh_jobs.publisher import open_publisher
from dwh_jobs.publisher_config import PublisherConfig
from dwh_jobs.sinks import CONNECT_SECONDS, READ_SECONDS, TRIES, Message, SnsSink
from dwh_jobs.spool import Spool, main
from lab import a_context, golden
from stand_in import StandIn, free_port

REGION = "us-east-1"


class Subscriber:
    """A queue on a topic of its own."""

    def __init__(self, aws: StandIn, name: str) -> None:
        sns, self._sqs = aws.client("sns"), aws.client("sqs")
        self.topic_arn: str = sns.create_topic(Name=f"{name}-topic")["TopicArn"]
        self._url = self._sqs.create_queue(QueueName=f"{name}-queue")["QueueUrl"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        sns.subscribe(TopicArn=self.topic_arn, Protocol="sqs", Endpoint=found["Attributes"]["QueueArn"])

    def received(self, count: int) -> list[dict[str, Any]]:
        """The SNS envelopes, at least `count` unless they do not come, and any further that is there."""
        found: list[dict[str, Any]] = []
        empty = 0
        while empty < (1 if len(found) >= count else 5):
            answer = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=0 if len(found) >= count else 2
            )
            messages = answer.get("Messages", [])
            empty = 0 if messages else empty + 1
            found += [json.loads(message["Body"]) for message in messages]
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return found


@pytest.fixture
def subscriber(aws: StandIn, monkeypatch: Any, tmp_path: Path) -> Subscriber:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    return Subscriber(aws, tmp_path.name.replace("_", "-")[-40:])


@pytest.fixture
def nobody(aws: StandIn, monkeypatch: Any) -> str:
    """The address of a topic at an endpoint where nothing listens."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    return f"arn:aws:sns:{REGION}:000000000000:none"


def a_message(event_id: str) -> Message:
    return Message(event_id, json.dumps({"event_id": event_id}), {"environment": "local"}, "Job Event")


@pytest.mark.parametrize("name", ["green", "red"])
def test_a_subscriber_gets_body_attributes_and_subject_as_the_contract_names_them(
    subscriber: Subscriber, tmp_path: Path, name: str
) -> None:
    event = golden(f"job_completed_{name}")
    config = PublisherConfig(kind="SNS", topic_arn=subscriber.topic_arn)
    publisher = open_publisher(config, a_context(), f"{tmp_path.as_uri()}/images")
    assert publisher.publish(event)
    (envelope,) = subscriber.received(1)
    assert json.loads(envelope["Message"]) == event
    assert envelope["Subject"] == subject_of(event)
    sent = {key: (item["Type"], item["Value"]) for key, item in envelope["MessageAttributes"].items()}
    assert sent == {key: ("String", value) for key, value in attributes_of(event).items()}
    assert not list((tmp_path / "_spool").rglob("*.json"))


def test_a_topic_that_does_not_answer_is_given_up_in_bounded_time(nobody: str) -> None:
    begin = monotonic()
    with pytest.raises(Exception, match="connect to the endpoint"):
        SnsSink(nobody, REGION).send(a_message("e1"))
    assert monotonic() - begin < TRIES * (CONNECT_SECONDS + READ_SECONDS) + 10


def test_the_flush_command_sends_what_is_spooled_once(
    subscriber: Subscriber, tmp_path: Path, capsys: Any
) -> None:
    spool = Spool(tmp_path.as_uri())
    for event_id in ("e1", "e2", "e3"):
        spool.put(a_message(event_id))
    command = ["flush", "--spool", tmp_path.as_uri(), "--topic_arn", subscriber.topic_arn]
    assert (main(command), main(command)) == (0, 0)
    assert capsys.readouterr().out == "3 events sent\n0 events sent\n"
    found = subscriber.received(3)
    assert sorted(json.loads(envelope["Message"])["event_id"] for envelope in found) == ["e1", "e2", "e3"]
    assert {envelope["MessageAttributes"]["environment"]["Value"] for envelope in found} == {"local"}
    assert not list(tmp_path.glob("*.json"))


def test_the_flush_command_takes_the_topic_from_the_environment(
    subscriber: Subscriber, tmp_path: Path, monkeypatch: Any
) -> None:
    Spool(tmp_path.as_uri()).put(a_message("e1"))
    monkeypatch.setenv("DWH_JOB_EVENTS_TOPIC_ARN", subscriber.topic_arn)
    assert main(["flush", "--spool", tmp_path.as_uri()]) == 0
    assert len(subscriber.received(1)) == 1


def test_the_flush_command_keeps_what_does_not_leave_and_says_so(
    nobody: str, tmp_path: Path, capsys: Any
) -> None:
    Spool(tmp_path.as_uri()).put(a_message("e1"))
    assert main(["flush", "--spool", tmp_path.as_uri(), "--topic_arn", nobody]) == 1
    assert capsys.readouterr().err.startswith("spool: ")
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_the_flush_command_needs_a_topic(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.delenv("DWH_JOB_EVENTS_TOPIC_ARN", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["flush", "--spool", tmp_path.as_uri()])
    assert ended.value.code == 2
    assert "--topic_arn or DWH_JOB_EVENTS_TOPIC_ARN is needed" in capsys.readouterr().err
