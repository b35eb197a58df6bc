"""The planned filter policies, on the AWS stand-in: exactly the right events reach each queue."""

import json
from pathlib import Path

import pytest
from dwh_contracts.attributes import attributes_of
from dwh_local import topology
from dwh_local.aws import client

GOLDEN = Path(__file__).resolve().parents[1] / "contracts" / "golden"
EVERYBODY = {"indexer", "alerts", "orchestrator", "approvals"}
DECISION = EVERYBODY - {"indexer"}
COMPLETED = sorted(path.stem for path in GOLDEN.glob("job_completed_*.json"))


@pytest.fixture
def subscribed(planned, gateway, environment):
    """Topics and queues as planned for dev, subscribed with the planned policies."""
    names = topology.Names(gateway.endpoint_url, environment)
    sns, sqs = client("sns", gateway.endpoint_url), client("sqs", gateway.endpoint_url)
    for values in planned("dev").of("aws_sns_topic_subscription").values():
        if values["protocol"] != "sqs":
            continue
        topic, queue = (values[end].rpartition(":dwh-dev-")[2] for end in ("topic_arn", "endpoint"))
        assert values["raw_message_delivery"] is True
        assert values["filter_policy"] is None or values["filter_policy_scope"] == "MessageAttributes"
        sns.create_topic(Name=names.name(topic))
        topology.ensure_queue(sqs, names.name(queue), {})
        policy = json.loads(values["filter_policy"] or "{}")
        topology.subscribe(sns, names.topic_arn(topic), names.queue_arn(queue), policy)
    return names


def receivers(names, topic, event):
    """Publish an event as its producer does; the queues that have it then."""
    attributes = {
        name: {"DataType": "String", "StringValue": value} for name, value in attributes_of(event).items()
    }
    client("sns", names.endpoint_url).publish(
        TopicArn=names.topic_arn(topic), Message=json.dumps(event), MessageAttributes=attributes
    )
    sqs = client("sqs", names.endpoint_url)
    return {
        queue
        for queue in EVERYBODY
        for message in sqs.receive_message(QueueUrl=names.queue_url(queue)).get("Messages", [])
        if json.loads(message["Body"]) == event
    }


def golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def test_there_are_events_to_try():
    assert len(COMPLETED) >= 8


@pytest.mark.parametrize("name", COMPLETED)
def test_a_finished_run_concerns_everybody(subscribed, name):
    assert receivers(subscribed, "job-events", golden(name)) == EVERYBODY


def test_a_started_run_concerns_the_indexer_alone(subscribed):
    assert receivers(subscribed, "job-events", golden("job_started")) == {"indexer"}


def test_a_failed_run_without_quality_still_alerts(subscribed):
    event = golden("job_completed_failed_extract")
    del event["quality"]
    assert receivers(subscribed, "job-events", event) == EVERYBODY


def test_a_successful_run_without_quality_alerts_nobody(subscribed):
    event = golden("job_completed_green")
    del event["quality"]
    assert receivers(subscribed, "job-events", event) == EVERYBODY - {"alerts"}


@pytest.mark.parametrize("name", ["approval_approved", "approval_rejected", "approval_expired"])
def test_a_decision_concerns_all_but_the_indexer(subscribed, name):
    assert receivers(subscribed, "job-approvals", golden(name)) == DECISION
