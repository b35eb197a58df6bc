"""What AsyncAPI documents say of queues and topics.

A queue is a channel with the sqs binding: its dead letters, and in `x-sns-subscriptions` the topics it hangs
on with their filters. A topic is a channel whose address is its ARN. Operations have no binding: the sqs
binding of an operation lists queues, for which FastStream's document has no place.
"""

from typing import Any

from faststream.specification.asyncapi.utils import resolve_payloads
from faststream.specification.schema import Message, Operation, PublisherSpec, SubscriberSpec
from faststream.specification.schema.bindings import ChannelBinding
from faststream.specification.schema.bindings import sqs as sqs_bindings

from faststream_sqs._fs import PublisherSpecification, SubscriberSpecification
from faststream_sqs.config import (
    SQSBrokerConfig,
    SQSPublisherSpecificationConfig,
    SQSSubscriberSpecificationConfig,
)
from faststream_sqs.schemas import Queue, Subscription, Topic

BINDING_VERSION = "0.2.0"


class SQSSubscriberSpecification(SubscriberSpecification[SQSBrokerConfig, SQSSubscriberSpecificationConfig]):
    """A consumed queue: its channel, dead letters and the topics it hangs on."""

    @property
    def queue(self) -> Queue:
        """The queue, prefixes of routers included."""
        return self.config.queue.with_prefix(self._outer_config.prefix)

    @property
    def channel_labels(self) -> list[str]:
        """One channel, named after the queue."""
        return [self.queue.short_name]

    def get_schema(self) -> dict[str, SubscriberSpec]:
        """The channel and its receive operation."""
        binding = {
            **_named(self.queue),
            "visibilityTimeout": self.config.options.visibility,
            "receiveMessageWaitTime": int(self.config.options.wait_time),
        }
        parking = self.config.options.parking
        if parking is not None and parking.queue:
            binding["redrivePolicy"] = {"deadLetterQueue": {"name": Queue(parking.queue).short_name}}
        subscriptions = [_subscription(s) for s in self.config.subscriptions]
        if subscriptions:
            binding["x-sns-subscriptions"] = subscriptions
        return {
            self.name: SubscriberSpec(
                address=self.queue.short_name,
                description=self.description,
                operation=Operation(
                    bindings=None,
                    message=Message(
                        title=f"{self.name}:Message", payload=resolve_payloads(self.get_payloads())
                    ),
                ),
                bindings=_queue_binding(binding),
            )
        }


class SQSPublisherSpecification(PublisherSpecification[SQSBrokerConfig, SQSPublisherSpecificationConfig]):
    """A queue or topic that is published to."""

    @property
    def target(self) -> Queue | Topic:
        """The target, prefixes of routers included."""
        target = self.config.target
        return target.with_prefix(self._outer_config.prefix) if isinstance(target, Queue) else target

    @property
    def name(self) -> str:
        """The title, or the target's name."""
        return self.config.title_ or f"{self.target.short_name}:Publisher"

    def get_schema(self) -> dict[str, PublisherSpec]:
        """The channel and its send operation."""
        target = self.target
        return {
            self.name: PublisherSpec(
                address=target.arn if isinstance(target, Topic) else target.short_name,
                description=self.config.description_,
                operation=Operation(
                    bindings=None,
                    message=Message(
                        title=f"{self.name}:Message",
                        payload=resolve_payloads(self.get_payloads(), "Publisher"),
                    ),
                ),
                bindings=None if isinstance(target, Topic) else _queue_binding(_named(target)),
            )
        }


def _named(queue: Queue) -> dict[str, Any]:
    return {"name": queue.short_name, "fifoQueue": queue.fifo}


def _queue_binding(queue: dict[str, Any]) -> ChannelBinding:
    return ChannelBinding(sqs=sqs_bindings.ChannelBinding(queue=queue, bindingVersion=BINDING_VERSION))


def _subscription(subscription: Subscription) -> dict[str, Any]:
    return {
        "topic": subscription.topic.arn,
        "rawMessageDelivery": subscription.raw,
        "filterPolicy": dict(subscription.filter_policy),
        "filterPolicyScope": subscription.filter_scope,
    }
