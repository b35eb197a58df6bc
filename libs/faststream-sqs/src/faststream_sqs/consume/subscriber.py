"""FastStream's subscriber over a `QueueConsumer`."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from types import TracebackType
from typing import Any

from faststream import BaseMiddleware
from faststream.exceptions import SetupError, StopConsume
from faststream.message import StreamMessage
from faststream.middlewares import AckPolicy

from faststream_sqs._fs import (
    BrokerMiddleware,
    CallsCollection,
    PublisherProto,
    SubscriberSpecification,
    SubscriberUsecase,
    TasksMixin,
)
from faststream_sqs.config import SQSBrokerConfig, SQSSubscriberConfig
from faststream_sqs.consume.consumer import QueueConsumer
from faststream_sqs.consume.delivery import Delivery, DeliveryBatch
from faststream_sqs.health import QueueHealth, queue_health
from faststream_sqs.large import Payloads
from faststream_sqs.message import BatchOutcome, SQSBatchMessage, SQSMessage
from faststream_sqs.parser import SQSBatchParser, SQSParser
from faststream_sqs.schemas import Queue


class OutcomeMiddleware(BaseMiddleware[Any, Any]):
    """Notes on the message what the acknowledgement middleware cannot see.

    That is the exception, which parking reports, and the outcome that a batch handler returns.
    """

    async def consume_scope(self, call_next: Any, msg: StreamMessage[Any]) -> Any:
        """Keep a batch handler's outcome; handle no message whose body could not be fetched."""
        if isinstance(msg, SQSMessage):
            msg.ensure_readable()
        result = await call_next(msg)
        if isinstance(msg, SQSBatchMessage) and isinstance(result, BatchOutcome):
            msg.outcome = result
            return None
        return result

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> bool | None:
        """Keep the exception, of the parser as well as of the handler."""
        if exc_val is not None:
            deliveries = self.msg.deliveries if isinstance(self.msg, DeliveryBatch) else (self.msg,)
            for delivery in deliveries:
                delivery.failure = exc_val
        return await super().__aexit__(exc_type, exc_val, exc_tb)


class SQSSubscriber(TasksMixin, SubscriberUsecase[Any]):
    """Consumes one queue; start and stop may be repeated."""

    _outer_config: SQSBrokerConfig

    def __init__(
        self,
        config: SQSSubscriberConfig,
        specification: SubscriberSpecification[Any, Any],
        calls: CallsCollection[Any],
    ) -> None:
        self._batched = config.options.batch is not None
        if self._batched:
            batches = SQSBatchParser(config.content_type, self._restore)
            config.parser, config.decoder = batches.parse_message, batches.decode_batch
        else:
            singles = SQSParser(config.content_type, self._restore)
            config.parser, config.decoder = singles.parse_message, singles.decode_message
        super().__init__(config, specification, calls)
        self._queue = config.queue
        self.options = config.options
        self.subscriptions = config.subscriptions
        self._large = config.large
        self._consumer: QueueConsumer | None = None
        # both follow from the routers around it, which is too slow to find out for each message
        self._payloads: Payloads | None = None
        self._label = ""
        self._starting = asyncio.Lock()

    @property
    def queue(self) -> Queue:
        """The queue, prefixes of routers included."""
        return self._queue.with_prefix(self._outer_config.prefix)

    @property
    def batched(self) -> bool:
        """Whether the handler takes whole batches."""
        return self._batched

    @property
    def _broker_middlewares(self) -> Sequence[BrokerMiddleware[Any]]:
        return (*super()._broker_middlewares, OutcomeMiddleware)

    async def start(self) -> None:
        """Start to poll; harmless when already started."""
        async with self._starting:
            if self.running:
                return
            await super().start()
            if self.calls:
                if payloads := self._outer_config.payloads_of(self._large):
                    await payloads.objects.open()
                self._consumer = self._make_consumer()
                self._consumer.start()
            self._post_start()

    def _post_start(self) -> None:
        self._label = self.queue.short_name
        self._payloads = self._outer_config.payloads_of(self._large)
        super()._post_start()

    async def stop(self) -> None:
        """Drain within the broker's graceful time-out; a second call waits for the first."""
        async with self._starting:
            consumer = self._consumer
        if consumer is not None:
            timeout = self._outer_config.graceful_timeout
            await consumer.stop(timeout if timeout is not None else float(self.options.wait_time) + 60)
            if self._consumer is consumer:
                self._consumer = None
        self.running = False
        self.tasks.clear()

    def pause(self) -> None:
        """Receive and handle nothing until `resume`."""
        self._running_consumer().pause()

    def resume(self) -> None:
        """Go on."""
        self._running_consumer().resume()

    def health(self) -> QueueHealth:
        """How far this queue's loops are."""
        return queue_health(self.queue.short_name, self._consumer)

    async def consume(self, msg: Any) -> Any:
        """Process one message or batch; errors are logged and settled by the middlewares.

        Unlike the base class it also works while the subscriber drains.
        """
        try:
            return await self.process_message(msg)
        except StopConsume:
            self._stop_soon()
        except SystemExit:
            self._stop_soon()
            if app := self._outer_config.context.get("app"):
                app.exit()
        except Exception:  # noqa: BLE001, S110 - logged by CriticalLogMiddleware, settled by the ack policy
            pass
        return None

    async def get_one(self, *, timeout: float = 5) -> SQSMessage | None:  # noqa: ARG002, ASYNC109 - the base's signature
        """Not offered: a message without a handler would have no heartbeat."""
        raise SetupError("consume with a handler; single receives have no owner who keeps the lock")

    def __aiter__(self) -> AsyncIterator[StreamMessage[Any]]:
        raise SetupError("consume with a handler; iteration has no owner who keeps the lock")

    def get_log_context(self, message: StreamMessage[Any] | None) -> dict[str, str]:
        """Queue and message id."""
        return {
            "queue": self._label or self.queue.short_name,
            "message_id": getattr(message, "message_id", ""),
        }

    def _make_response_publisher(self, _message: StreamMessage[Any]) -> Iterable[PublisherProto]:
        return ()

    def _make_consumer(self) -> QueueConsumer:
        outer = self._outer_config
        return QueueConsumer(
            self.options.of_queue(self.queue.name),
            outer.connected_transport,
            outer.clock,
            self._run,
            self._log_line,
        )

    async def _restore(self, message: SQSMessage) -> None:
        if self._payloads is not None:
            await self._payloads.restore(message)

    async def _run(self, group: Sequence[Delivery]) -> None:
        if self.ack_policy is AckPolicy.ACK_FIRST:
            group = await _deleted(group)
        if self._batched and group:
            await self.consume(DeliveryBatch(group, self.queue.name))
        else:
            for delivery in group:
                await self.consume(delivery)

    def _running_consumer(self) -> QueueConsumer:
        if self._consumer is None:
            raise SetupError(f"{self.queue.name} is not being consumed")
        return self._consumer

    def _stop_soon(self) -> None:
        # a handler that waited for its own subscriber to stop would wait for itself
        self.add_task(self.stop, restart_on_failure=False)

    def _log_line(self, level: int, text: str, error: Exception | None) -> None:
        self._log(level, text, extra=self.get_log_context(None), exc_info=error)


async def _deleted(group: Sequence[Delivery]) -> list[Delivery]:
    """Those whose delete was confirmed: at most once means that the others are not handled."""
    claimed = await asyncio.gather(*(delivery.control.claim(delivery) for delivery in group))
    return [delivery for delivery, ours in zip(group, claimed, strict=True) if ours]
