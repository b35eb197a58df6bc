"""What AsyncAPI documents say of queues and topics."""

from typing import Any

from faststream.specification.asyncapi.utils import resolve_payloads
from faststream.specification.schema import Message, Operation, PublisherSpec, SubscriberSpec
from faststream.specification.schema.bindings import ChannelBinding, OperationBinding
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
            "name": self.queue.short_name,
            "fifoQueue": self.queue.fifo,
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
                    message=Message(
                        title=f"{self.name}:Message", payload=resolve_payloads(self.get_payloads())
                    ),
                    bindings=OperationBinding(
                        sqs=sqs_bindings.OperationBinding(bindingVersion=BINDING_VERSION)
                    ),
                ),
                bindings=ChannelBinding(
                    sqs=sqs_bindings.ChannelBinding(queue=binding, bindingVersion=BINDING_VERSION)
                ),
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
        binding: dict[str, Any] = {"name": self.target.short_name, "fifoQueue": self.target.fifo}
        if isinstance(self.target, Topic):
            binding = {"name": self.target.short_name, "x-sns-topic": self.target.arn}
        return {
            self.name: PublisherSpec(
                address=self.target.short_name,
                description=self.config.description_,
                operation=Operation(
                    message=Message(
                        title=f"{self.name}:Message",
                        payload=resolve_payloads(self.get_payloads(), "Publisher"),
                    ),
                    bindings=OperationBinding(
                        sqs=sqs_bindings.OperationBinding(bindingVersion=BINDING_VERSION)
                    ),
                ),
                bindings=ChannelBinding(
                    sqs=sqs_bindings.ChannelBinding(queue=binding, bindingVersion=BINDING_VERSION)
                ),
            )
        }


def _subscription(subscription: Subscription) -> dict[str, Any]:
    return {
        "topic": subscription.topic.arn,
        "rawMessageDelivery": subscription.raw,
        "filterPolicy": dict(subscription.filter_policy),
        "filterPolicyScope": subscription.filter_scope,
    }
