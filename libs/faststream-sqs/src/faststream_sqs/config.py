"""The broker's and subscribers' configuration, shared with routers through composition."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from faststream.exceptions import IncorrectState
from faststream.middlewares import AckPolicy

from faststream_sqs._fs import (
    EMPTY,
    BrokerConfig,
    DefaultCodec,
    PublisherSpecificationConfig,
    PublisherUsecaseConfig,
    SubscriberSpecificationConfig,
    SubscriberUsecaseConfig,
)
from faststream_sqs.clock import Clock, SystemClock
from faststream_sqs.consume.consumer import ConsumeOptions
from faststream_sqs.large import ObjectStore, Payloads
from faststream_sqs.produce.producer import SQSProducer
from faststream_sqs.schemas import Coalesce, LargePayload, Queue, Subscription, Topic
from faststream_sqs.transport.protocol import Transport


@dataclass(kw_only=True)
class SQSBrokerConfig(BrokerConfig):
    """What a broker or router hands to its subscribers and publishers."""

    producer: SQSProducer = field(default_factory=SQSProducer)
    clock: Clock = field(default_factory=SystemClock)
    transport: Transport | None = None
    payloads: Payloads | None = None
    objects: ObjectStore | None = None

    @property
    def connected_transport(self) -> Transport:
        """The transport; raises while the broker is not connected."""
        if self.transport is None:
            raise IncorrectState("connect the broker first")
        return self.transport

    def payloads_of(self, large: LargePayload | None) -> Payloads | None:
        """How a subscriber fetches bodies that are kept elsewhere; EMPTY, as the whole broker does."""
        if large is EMPTY:
            return self.payloads
        return None if large is None or self.objects is None else Payloads(large, self.objects)

    def connect(self, transport: Transport) -> None:
        """Give endpoints their transport."""
        self.transport = transport
        self.producer.payloads = self.payloads
        self.producer.connect(transport, self.fd_config._serializer, self.broker_codec or DefaultCodec())  # noqa: SLF001 - as core brokers do

    def disconnect(self) -> None:
        """Take it away."""
        self.transport = None
        self.producer.disconnect()


@dataclass(kw_only=True)
class SQSSubscriberConfig(SubscriberUsecaseConfig):
    """One subscriber."""

    _outer_config: SQSBrokerConfig = field(default_factory=SQSBrokerConfig)

    queue: Queue
    options: ConsumeOptions
    content_type: str
    large: LargePayload | None = EMPTY
    subscriptions: tuple[Subscription, ...] = ()

    @property
    def ack_policy(self) -> AckPolicy:
        """Its own policy, else the broker's, else NACK_ON_ERROR."""
        if self._ack_policy is not EMPTY:
            return self._ack_policy
        if self._outer_config.ack_policy is not EMPTY:
            return self._outer_config.ack_policy
        return AckPolicy.NACK_ON_ERROR


@dataclass(kw_only=True)
class SQSSubscriberSpecificationConfig(SubscriberSpecificationConfig):
    """What AsyncAPI says of a subscriber."""

    queue: Queue
    options: ConsumeOptions
    subscriptions: tuple[Subscription, ...] = ()


@dataclass(kw_only=True)
class SQSPublisherConfig(PublisherUsecaseConfig):
    """One publisher."""

    _outer_config: SQSBrokerConfig = field(default_factory=SQSBrokerConfig)

    target: Queue | Topic
    group_id: str | Callable[[Any], str] | None
    dedup_id: Callable[[Any], str] | None
    coalesce: Coalesce | None
    headers: dict[str, str]
    attributes: dict[str, str]


@dataclass(kw_only=True)
class SQSPublisherSpecificationConfig(PublisherSpecificationConfig):
    """What AsyncAPI says of a publisher."""

    target: Queue | Topic
