"""Queues, topics and subscriptions as data: what differs from what is there, and how to make it so.

`verify` is for production, where something else owns the resources: it changes nothing and names every
difference. `apply` is for tests and local systems; it is idempotent and never deletes a queue or a topic.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiobotocore.session import get_session

from faststream_sqs.schemas import Queue
from faststream_sqs.transport.clients import Clients, SessionFactory

ABSENT = "absent"
ABSENT_CODES = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """A queue; times in seconds. `dead_letters` names another queue of the same topology."""

    name: str
    visibility: int = 60
    retention: int = 4 * 86_400
    dead_letters: str | None = None
    max_receives: int = 10


@dataclass(frozen=True, slots=True)
class SubscriptionSpec:
    """A queue that hangs on a topic, both by name."""

    topic: str
    queue: str
    raw: bool = True
    filter_policy: Mapping[str, Any] = field(default_factory=dict)
    filter_scope: str = "MessageAttributes"


@dataclass(frozen=True, slots=True)
class Topology:
    """What should be there. Every name in a subscription or redrive policy must be listed."""

    queues: Sequence[QueueSpec] = ()
    topics: Sequence[str] = ()
    subscriptions: Sequence[SubscriptionSpec] = ()

    def __post_init__(self) -> None:
        queues, topics = {queue.name for queue in self.queues}, set(self.topics)
        named = {queue.dead_letters for queue in self.queues if queue.dead_letters}
        unknown = (named | {s.queue for s in self.subscriptions}) - queues
        unknown |= {s.topic for s in self.subscriptions} - topics
        if unknown:
            raise ValueError(f"not in the topology: {', '.join(sorted(unknown))}")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as wanted; values as AWS spells them."""

    kind: str
    name: str
    attribute: str
    wanted: Any
    found: Any

    def __str__(self) -> str:
        if not self.attribute:
            return f"{self.kind} {self.name}: is {self.found}, wanted {self.wanted}"
        return f"{self.kind} {self.name}: {self.attribute} is {self.found}, wanted {self.wanted}"


class TopologyError(Exception):
    """The resources are not as wanted; `differences` and the text name every one."""

    def __init__(self, differences: Sequence[Difference]) -> None:
        self.differences = tuple(differences)
        super().__init__("; ".join(str(difference) for difference in differences))


class TopologyClient:
    """An asynchronous context manager around one SQS and one SNS client."""

    def __init__(
        self,
        region: str | None = None,
        *,
        endpoint_url: str | None = None,
        session_factory: SessionFactory = get_session,
    ) -> None:
        self._clients = Clients(region, endpoint_url, session_factory)
        self._stack = AsyncExitStack()
        self._sqs: Any = None
        self._sns: Any = None

    async def __aenter__(self) -> Self:
        (self._sqs, self._sns), self._stack = await self._clients.open(("sqs", None), ("sns", None))
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def plan(self, wanted: Topology) -> list[Difference]:
        """What `apply` would change; changes nothing."""
        return [difference for difference, _ in await self._compare(wanted, await self._topics())]

    async def verify(self, wanted: Topology) -> None:
        """Raise `TopologyError` if anything differs; changes nothing."""
        if differences := await self.plan(wanted):
            raise TopologyError(differences)

    async def apply(self, wanted: Topology) -> list[Difference]:
        """Create and change what differs; returns that. Twice in a row, the second finds nothing."""
        differences = await self.plan(wanted)
        if not differences:
            return []
        topics = {
            name: (await self._sns.create_topic(Name=name, Attributes=_fifo(name, "FifoTopic")))["TopicArn"]
            for name in wanted.topics
        }
        for queue in _dead_letters_first(wanted.queues):
            await self._ensure_queue(queue.name)
        for queue in wanted.queues:
            url = await self._ensure_queue(queue.name)
            attributes = await self._attributes_of(queue, wanted, topics)
            await self._sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        for subscription in wanted.subscriptions:
            await self._subscribe(subscription, topics[subscription.topic])
        for difference, arn in await self._compare(wanted, topics):
            if difference.wanted == ABSENT:
                await self._sns.unsubscribe(SubscriptionArn=arn)
        return differences

    async def _compare(self, wanted: Topology, topics: Mapping[str, str]) -> list[tuple[Difference, str]]:
        found: list[tuple[Difference, str]] = [
            (Difference("topic", name, "", "there", ABSENT), "")
            for name in wanted.topics
            if name not in topics
        ]
        for queue in wanted.queues:
            found += [(difference, "") for difference in await self._compare_queue(queue, wanted, topics)]
        for topic in wanted.topics:
            if topic in topics:
                found += await self._compare_subscriptions(topic, topics[topic], wanted)
            else:
                found += [
                    (Difference("subscription", _label(s.topic, s.queue), "", "there", ABSENT), "")
                    for s in wanted.subscriptions
                    if s.topic == topic
                ]
        return found

    async def _compare_queue(
        self, queue: QueueSpec, wanted: Topology, topics: Mapping[str, str]
    ) -> list[Difference]:
        url = await self._url(queue.name)
        if url is None:
            return [Difference("queue", queue.name, "", "there", ABSENT)]
        answer = await self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        there = answer.get("Attributes", {})
        return [
            Difference("queue", queue.name, name, value, there.get(name, ABSENT))
            for name, value in (await self._attributes_of(queue, wanted, topics)).items()
            if not _equal(value, there.get(name))
        ]

    async def _compare_subscriptions(
        self, topic: str, arn: str, wanted: Topology
    ) -> list[tuple[Difference, str]]:
        there: dict[str, str] = {}
        async for page in self._sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn):
            there |= {s["Endpoint"].rpartition(":")[2]: s["SubscriptionArn"] for s in page["Subscriptions"]}
        found: list[tuple[Difference, str]] = []
        for subscription in (s for s in wanted.subscriptions if s.topic == topic):
            label, own = _label(topic, subscription.queue), there.pop(subscription.queue, None)
            if own is None:
                found.append((Difference("subscription", label, "", "there", ABSENT), ""))
                continue
            answer = await self._sns.get_subscription_attributes(SubscriptionArn=own)
            attributes = answer["Attributes"]
            found += [
                (Difference("subscription", label, name, value, attributes.get(name, ABSENT)), own)
                for name, value in _subscription_attributes(subscription).items()
                if not _equal(value, attributes.get(name, _DEFAULTS[name]))
            ]
        ours = {queue.name for queue in wanted.queues}
        return found + [
            (Difference("subscription", _label(topic, queue), "", ABSENT, "there"), own)
            for queue, own in there.items()
            if queue in ours
        ]

    async def _attributes_of(
        self, queue: QueueSpec, wanted: Topology, topics: Mapping[str, str]
    ) -> dict[str, str]:
        attributes = {
            "VisibilityTimeout": str(queue.visibility),
            "MessageRetentionPeriod": str(queue.retention),
        }
        if queue.dead_letters is not None:
            arn = await self._arn(queue.dead_letters) or queue.dead_letters
            redrive = {"deadLetterTargetArn": arn, "maxReceiveCount": queue.max_receives}
            attributes["RedrivePolicy"] = json.dumps(redrive)
        sources = [topics.get(s.topic, s.topic) for s in wanted.subscriptions if s.queue == queue.name]
        if sources:
            attributes["Policy"] = _policy(await self._arn(queue.name) or queue.name, sources)
        return attributes

    async def _subscribe(self, subscription: SubscriptionSpec, topic_arn: str) -> None:
        answer = await self._sns.subscribe(
            TopicArn=topic_arn,
            Protocol="sqs",
            Endpoint=await self._arn(subscription.queue),
            ReturnSubscriptionArn=True,
        )
        for name, value in _subscription_attributes(subscription).items():
            await self._sns.set_subscription_attributes(
                SubscriptionArn=answer["SubscriptionArn"], AttributeName=name, AttributeValue=value
            )

    async def _topics(self) -> dict[str, str]:
        topics: dict[str, str] = {}
        async for page in self._sns.get_paginator("list_topics").paginate():
            topics |= {t["TopicArn"].rpartition(":")[2]: t["TopicArn"] for t in page.get("Topics", ())}
        return topics

    async def _ensure_queue(self, name: str) -> str:
        url = await self._url(name)
        if url is None:
            answer = await self._sqs.create_queue(QueueName=name, Attributes=_fifo(name, "FifoQueue"))
            url = answer["QueueUrl"]
        return str(url)

    async def _url(self, name: str) -> str | None:
        try:
            return str((await self._sqs.get_queue_url(QueueName=name))["QueueUrl"])
        except self._sqs.exceptions.ClientError as error:
            if error.response.get("Error", {}).get("Code") in ABSENT_CODES:
                return None
            raise

    async def _arn(self, name: str) -> str | None:
        url = await self._url(name)
        if url is None:
            return None
        answer = await self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])


_DEFAULTS = {"RawMessageDelivery": "false", "FilterPolicy": "{}", "FilterPolicyScope": "MessageAttributes"}


def _subscription_attributes(subscription: SubscriptionSpec) -> dict[str, str]:
    return {
        "RawMessageDelivery": "true" if subscription.raw else "false",
        "FilterPolicyScope": subscription.filter_scope,
        "FilterPolicy": json.dumps(dict(subscription.filter_policy)),
    }


def _policy(queue_arn: str, topic_arns: Sequence[str]) -> str:
    statement = {
        "Sid": "topics",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": sorted(topic_arns)}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _equal(wanted: str, found: str | None) -> bool:
    """Whether two attributes mean the same: JSON by content, and numbers in it as text or not."""
    if wanted == found:
        return True
    if found is None or not wanted.startswith("{"):
        return False
    try:
        return bool(_plain(json.loads(wanted)) == _plain(json.loads(found)))
    except ValueError:
        return False


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _dead_letters_first(queues: Sequence[QueueSpec]) -> list[QueueSpec]:
    return sorted(queues, key=lambda queue: queue.dead_letters is not None)


def _fifo(name: str, attribute: str) -> dict[str, str]:
    return {attribute: "true"} if Queue(name).fifo else {}


def _label(topic: str, queue: str) -> str:
    return f"{topic} -> {queue}"
