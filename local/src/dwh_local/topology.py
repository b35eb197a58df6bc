"""Topics, queues with dead letters, filtered subscriptions and buckets of one environment, from the list.

`apply` is idempotent: it creates what is missing and sets the attributes of what is there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dwh_local.aws import ACCOUNT, REGION, client
from dwh_local.consumers import Consumer, Filter, QueueSpec, load_consumers

SECONDS_PER_DAY = 86_400
HELD_VISIBILITY_SECONDS = "300"


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


def apply(endpoint_url: str, environment: str, *, held: bool = False) -> Names:
    """Create everything the list names and return the names.

    With `held`, consumers are subscribed through a queue `…-held` in front of their own: a courier carries
    messages from there (see `courier`).
    """
    listed = load_consumers()
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
        if held:
            ensure_queue(sqs, names.name(held_name(queue)), {"VisibilityTimeout": HELD_VISIBILITY_SECONDS})
    for name, consumer in listed.consumers.items():
        _subscribe_consumer(sns, names, name, consumer, held=held)
    return names


def held_name(queue: str) -> str:
    """Short name of the queue in front of a queue."""
    return f"{queue}-held"


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


def unsubscribe(sns: Any, topic_arn: str, queue_arn: str) -> None:
    """Stop delivering a topic to a queue, if it was."""
    for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn):
        for found in page["Subscriptions"]:
            if found["Endpoint"] == queue_arn:
                sns.unsubscribe(SubscriptionArn=found["SubscriptionArn"])


def _subscribe_consumer(sns: Any, names: Names, name: str, consumer: Consumer, *, held: bool) -> None:
    wanted, other = (held_name(name), name) if held else (name, held_name(name))
    for topic, policy in consumer.subscriptions.items():
        subscribe(sns, names.topic_arn(topic), names.queue_arn(wanted), policy)
        unsubscribe(sns, names.topic_arn(topic), names.queue_arn(other))


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
