"""The in-memory double of `SQSBroker`."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, overload

from faststream_sqs._fs import DefaultCodec, TestBroker, change_producer
from faststream_sqs.broker import SQSBroker
from faststream_sqs.consume.delivery import Delivery, DeliveryBatch
from faststream_sqs.consume.subscriber import SQSSubscriber
from faststream_sqs.produce.producer import SQSProducer
from faststream_sqs.produce.publisher import SQSPublisher
from faststream_sqs.produce.sizing import check
from faststream_sqs.response import SQSPublishCommand
from faststream_sqs.schemas import Queue, Topic
from faststream_sqs.testing.control import RecordingControl, a_delivery
from faststream_sqs.testing.memory import MemoryTransport
from faststream_sqs.transport.protocol import OutgoingMessage

EnterType = TypeVar("EnterType")


class TestSQSBroker(TestBroker[SQSBroker, EnterType], broker=SQSBroker):
    """Routes published messages straight to the subscribers of their queue.

    A message to a topic goes to subscribers that name the topic in `subscriptions`. Batch subscribers
    get all messages of one publish together.
    """

    __test__ = False

    @overload
    def __init__(
        self: "TestSQSBroker[SQSBroker]",
        broker: SQSBroker,
        /,
        *,
        with_real: bool = False,
        connect_only: bool | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self: "TestSQSBroker[tuple[SQSBroker, ...]]",
        *brokers: SQSBroker,
        with_real: bool = False,
        connect_only: bool | None = None,
    ) -> None: ...

    def __init__(
        self, *brokers: SQSBroker, with_real: bool = False, connect_only: bool | None = None
    ) -> None:
        super().__init__(*brokers, with_real=with_real, connect_only=connect_only)
        self.control = RecordingControl()

    def create_publisher_fake_subscriber(
        self, broker: SQSBroker, publisher: SQSPublisher
    ) -> tuple[SQSSubscriber, bool]:
        """The subscriber of the publisher's target, made up when there is none."""
        for candidate in _subscribers(self.brokers):
            if _receives(candidate, publisher.target):
                return candidate, True
        return broker.subscriber(publisher.destination, persistent=False), False

    @contextmanager
    def _patch_producer(self, broker: SQSBroker) -> Generator[None, None, None]:
        producer = FakeProducer(self.brokers, self.control)
        config = broker.config
        producer.encode_with(config.fd_config._serializer, config.broker_codec or DefaultCodec())  # noqa: SLF001 - as core brokers do
        with change_producer(broker.config.broker_config, producer):
            yield

    async def _fake_connect(self, broker: SQSBroker, *_: Any, **__: Any) -> None:
        broker.config.broker_config.transport = MemoryTransport(broker.config.clock)


class FakeProducer(SQSProducer):
    """Encodes as the real one does and hands over to handlers."""

    def __init__(self, brokers: Sequence[SQSBroker], control: RecordingControl) -> None:
        super().__init__()
        self._brokers = brokers
        self._control = control

    async def publish(self, cmd: SQSPublishCommand) -> str:
        """Deliver at once: nothing waits for company."""
        (message_id,) = await self.publish_batch(cmd)
        return message_id

    async def publish_batch(self, cmd: SQSPublishCommand) -> list[str]:
        """Deliver to every subscriber of the target; handler errors reach the caller."""
        messages = [await self.encode(body, cmd, index) for index, body in enumerate(cmd.batch_bodies)]
        for message in messages:
            target = cmd.target or Queue("")
            check(message, target.max_bytes, target.short_name)
        ids = [a_delivery().raw.message_id for _ in messages]
        for subscriber in list(_subscribers(self._brokers)):
            if cmd.target is not None and _receives(subscriber, cmd.target):
                await self._hand_over(subscriber, messages, ids)
        return ids

    async def _hand_over(
        self, subscriber: SQSSubscriber, messages: Sequence[OutgoingMessage], ids: Sequence[str]
    ) -> None:
        deliveries = [
            self._delivery(subscriber.queue.name, message, message_id)
            for message, message_id in zip(messages, ids, strict=True)
        ]
        if subscriber.batched:
            await subscriber.process_message(DeliveryBatch(deliveries, subscriber.queue.name))
        else:
            for delivery in deliveries:
                await subscriber.process_message(delivery)

    def _delivery(self, queue: str, message: OutgoingMessage, message_id: str) -> Delivery:
        group = {"MessageGroupId": message.group_id} if message.group_id else None
        return a_delivery(
            message.body,
            queue=queue,
            message_id=message_id,
            attributes=message.attributes,
            control=self._control,
            system=group,
        )


def _subscribers(brokers: Sequence[SQSBroker]) -> Iterable[SQSSubscriber]:
    return (s for broker in brokers for s in broker.subscribers if isinstance(s, SQSSubscriber))


def _receives(subscriber: SQSSubscriber, target: Queue | Topic) -> bool:
    if isinstance(target, Topic):
        topics = {s.topic.arn for s in subscriber.subscriptions} | {subscriber.queue.name}
        return target.arn in topics
    return target.short_name == subscriber.queue.short_name
