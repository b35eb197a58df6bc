"""Topics, queues with dead letters, filtered subscriptions and buckets of one environment, from the list.

`apply` is idempotent: it creates what is missing and sets the attributes of what is there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dwh_local.aws import ACCOUNT, REGION, client
from dwh_local.consumers import Consumer, Consumers, Filter, QueueSpec, load_consumers

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Names:
    """Names of interfaces.md 3 for one environment on one stand-in."""

    endpoint_url: str
    environment: str

    def name(self, short: str) -> str:
        """Full name of a topic, queue or bucket."""
        return f"dwh-{self.environment}-{short}"

    def topic_arn(self, short: str) -> str:
        """ARN of a topic."""
        return f"arn:aws:sns:{REGION}:{ACCOUNT}:{self.name(short)}"

    def queue_arn(self, short: str) -> str:
        """ARN of a queue."""
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.name(short)}"

    def queue_url(self, short: str) -> str:
        """URL of a queue."""
        return f"{self.endpoint_url}/{ACCOUNT}/{self.name(short)}"


def apply(endpoint_url: str, environment: str, consumers: Consumers | None = None) -> Names:
    """Create everything the list names and return the names."""
    listed = consumers or load_consumers()
    names = Names(endpoint_url, environment)
    sns, sqs, s3 = (client(service, endpoint_url) for service in ("sns", "sqs", "s3"))
    for bucket in listed.buckets:
        _ensure_bucket(s3, names.name(bucket))
    for topic in listed.topics:
        sns.create_topic(Name=names.name(topic))
    for queue, spec in listed.all_queues().items():
        dead = f"{queue}-dlq"
        ensure_queue(
            sqs, names.name(dead), {"MessageRetentionPeriod": _days(listed.dead_letters.retention_days)}
        )
        ensure_queue(sqs, names.name(queue), _attributes(spec, names.queue_arn(dead)))
    for name, consumer in listed.consumers.items():
        _subscribe_consumer(sns, names, name, consumer)
    return names


def subscribe(sns: Any, topic_arn: str, queue_arn: str, policy: Filter) -> str:
    """Deliver a topic raw to a queue, filtered by message attributes; an existing filter is replaced."""
    answer = sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, ReturnSubscriptionArn=True)
    arn: str = answer["SubscriptionArn"]
    wanted = {"RawMessageDelivery": "true", "FilterPolicy": json.dumps(policy) if policy else "{}"}
    for name, value in wanted.items():
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName=name, AttributeValue=value)
    return arn


def ensure_queue(sqs: Any, name: str, attributes: dict[str, str]) -> str:
    """Create a queue, or bring the attributes of an existing one to what is wanted."""
    try:
        url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    except sqs.exceptions.QueueNameExists:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    if attributes:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    return url


def _subscribe_consumer(sns: Any, names: Names, name: str, consumer: Consumer) -> None:
    for topic, policy in consumer.subscriptions.items():
        subscribe(sns, names.topic_arn(topic), names.queue_arn(name), policy)


def _attributes(spec: QueueSpec, dead_letter_arn: str) -> dict[str, str]:
    redrive = {"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": spec.max_receive_count}
    return {
        "VisibilityTimeout": str(spec.visibility_seconds),
        "MessageRetentionPeriod": _days(spec.retention_days),
        "RedrivePolicy": json.dumps(redrive),
    }


def _ensure_bucket(s3: Any, name: str) -> None:
    known = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    if name not in known:
        s3.create_bucket(Bucket=name)


def _days(days: int) -> str:
    return str(days * SECONDS_PER_DAY)
