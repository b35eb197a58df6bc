"""What the stand-in delivers where, by the filters of deploy/consumers.json."""

import pytest
from dwh_local.aws import client
from dwh_local.topology import Names, apply

CONSUMERS = ("indexer", "alerts", "orchestrator", "approvals")


def publish(names: Names, topic: str, **attributes: str) -> None:
    client("sns", names.endpoint_url).publish(
        TopicArn=names.topic_arn(topic),
        Message='{"raw":true}',
        MessageAttributes={k: {"DataType": "String", "StringValue": v} for k, v in attributes.items()},
    )


def receivers(names: Names) -> set[str]:
    sqs = client("sqs", names.endpoint_url)
    got = {
        name: sqs.receive_message(QueueUrl=names.queue_url(name)).get("Messages", []) for name in CONSUMERS
    }
    assert {message["Body"] for messages in got.values() for message in messages} <= {'{"raw":true}'}
    return {name for name, messages in got.items() if messages}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"event_type": "job_started"}, {"indexer"}),
        ({"event_type": "job_completed", "status": "SUCCESS", "quality_status": "GREEN"}, set(CONSUMERS)),
        ({"event_type": "job_completed", "status": "FAILED"}, set(CONSUMERS)),
        ({"event_type": "dag_run_created"}, {"indexer"}),
        ({}, {"indexer"}),
    ],
)
def test_job_events_reach_the_queues_whose_filter_they_match(names: Names, attributes, expected) -> None:
    publish(names, "job-events", **attributes)
    assert receivers(names) == expected


def test_approvals_reach_all_but_the_indexer(names: Names) -> None:
    publish(names, "job-approvals", event_type="approval_decision")
    assert receivers(names) == {"alerts", "orchestrator", "approvals"}


def test_applying_twice_changes_nothing(names: Names) -> None:
    sns = client("sns", names.endpoint_url)
    before = sns.list_subscriptions_by_topic(TopicArn=names.topic_arn("job-events"))["Subscriptions"]
    apply(names.endpoint_url, names.environment)
    assert sns.list_subscriptions_by_topic(TopicArn=names.topic_arn("job-events"))["Subscriptions"] == before


def test_a_message_received_too_often_goes_to_the_dead_letters(names: Names) -> None:
    sqs, queue = client("sqs", names.endpoint_url), names.queue_url("mwaa-triggers")
    sqs.send_message(QueueUrl=queue, MessageBody="poison")
    for _ in range(6):
        sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)
    dead = sqs.receive_message(QueueUrl=names.queue_url("mwaa-triggers-dlq"), WaitTimeSeconds=2)
    assert [message["Body"] for message in dead["Messages"]] == ["poison"]
