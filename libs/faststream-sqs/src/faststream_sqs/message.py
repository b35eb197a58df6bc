"""The messages that handlers see."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

import orjson
from faststream.message import StreamMessage

from faststream_sqs.consume.delivery import Delivery, DeliveryBatch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SNSOrigin:
    """Where a message was published before it reached the queue."""

    topic_arn: str
    message_id: str
    subject: str | None = None


class SQSMessage(StreamMessage[Delivery]):
    """A message of a queue. Receipts stay inside: settle through the methods."""

    def __init__(
        self, raw_message: Delivery, body: bytes, *, sns: SNSOrigin | None = None, **kwargs: Any
    ) -> None:
        super().__init__(raw_message, body, message_id=raw_message.raw.message_id, **kwargs)
        self.sns = sns
        self.unreadable: Exception | None = None

    def cannot_be_read(self, error: Exception) -> None:
        """Note why no handler may see this message."""
        self.unreadable = error
        self.raw_message.failure = error

    def ensure_readable(self) -> None:
        """Raise what kept the body from being fetched, if anything did."""
        if self.unreadable is not None:
            raise self.unreadable

    @property
    def queue(self) -> str:
        """The queue as its subscriber names it."""
        return self.raw_message.queue

    @property
    def receive_count(self) -> int:
        """How often the message was received, this time included."""
        return self.raw_message.raw.receive_count

    @property
    def attempts(self) -> int:
        """How often it was tried, this time included.

        Its receives without those that this process released as no failure, and with the tries that an
        ordered subscriber made without letting go of the message.
        """
        return self.raw_message.attempts

    @property
    def sent_at(self) -> datetime | None:
        """When SQS took the message."""
        return _moment(self.raw_message, "SentTimestamp")

    @property
    def first_received_at(self) -> datetime | None:
        """When anybody received the message for the first time."""
        return _moment(self.raw_message, "ApproximateFirstReceiveTimestamp")

    @property
    def group_id(self) -> str | None:
        """The FIFO group, or the fair-queue group of a standard queue."""
        return self.raw_message.raw.system.get("MessageGroupId")

    @property
    def lock_lost(self) -> bool:
        """Whether somebody else may be working on the message by now; it cannot be settled then."""
        return self.raw_message.lock_lost

    async def ack(self, *, confirm: bool = False) -> None:
        """Delete the message; with `confirm`, return only when SQS has said so."""
        if self.committed is None:
            await self.raw_message.control.ack(self.raw_message, confirm=confirm)
        await super().ack()

    async def nack(self, delay: float | None = None) -> None:
        """Count a failure: show the message again after `delay` seconds (the back-off when None)."""
        if self.committed is None:
            await self.raw_message.control.nack(self.raw_message, delay)
        await super().nack()

    async def reject(self, reason: str = "") -> None:
        """Park the message with its details, whatever its receive count."""
        if self.committed is None:
            await self.raw_message.control.reject(self.raw_message, reason)
        await super().reject()

    async def release(self, delay: float = 0) -> None:
        """Show the message again after `delay` seconds without counting a failure of ours.

        An ordered subscriber keeps it and tries again itself.
        """
        if self.committed is None:
            await self.raw_message.control.release(self.raw_message, delay)
        await super().nack()

    async def extend(self, seconds: float) -> bool:
        """Keep the message for so many seconds from now; False when the lock is lost."""
        return await self.raw_message.control.extend(self.raw_message, seconds)


class _Verdict(StrEnum):
    ACK = "ack"
    RETRY = "retry"
    REJECT = "reject"


@dataclass(slots=True)
class BatchOutcome:
    """What becomes of each message of a batch, by index. Unlisted messages are retried."""

    _verdicts: dict[int, tuple[_Verdict, float | None, str]] = field(default_factory=dict)
    _failures: dict[int, Any] = field(default_factory=dict)  # pydantic reads return types and knows no errors

    def ack(self, index: int) -> None:
        """Delete this message."""
        self._verdicts[index] = (_Verdict.ACK, None, "")

    def retry(self, index: int, delay: float | None = None, *, error: BaseException | None = None) -> None:
        """Count a failure and show this message again, or do what the rule of `error` says."""
        self._verdicts[index] = (_Verdict.RETRY, delay, "")
        self._note(index, error)

    def reject(self, index: int, reason: str = "", *, error: BaseException | None = None) -> None:
        """Park this message; its details name `error`."""
        self._verdicts[index] = (_Verdict.REJECT, None, reason)
        self._note(index, error)

    def ack_all(self, count: int) -> "BatchOutcome":
        """Delete the first `count` messages that have no verdict yet; returns itself."""
        for index in range(count):
            self._verdicts.setdefault(index, (_Verdict.ACK, None, ""))
        return self

    def __contains__(self, index: int) -> bool:
        return index in self._verdicts

    def _note(self, index: int, error: BaseException | None) -> None:
        if error is not None:
            self._failures[index] = error

    async def apply(self, items: Sequence[SQSMessage]) -> None:
        """Settle every message as said."""
        for index, item in enumerate(items):
            item.raw_message.failure = self._failures.get(index, item.raw_message.failure)
            verdict, delay, reason = self._verdicts.get(index, (_Verdict.RETRY, None, ""))
            if item.unreadable is not None:
                verdict, delay = _Verdict.RETRY, None  # parked at once when its body is gone for good
            if verdict is _Verdict.ACK:
                await item.ack()
            elif verdict is _Verdict.REJECT:
                await item.reject(reason)
            else:
                await item.nack(delay)


@dataclass(frozen=True, slots=True)
class DecodedItems(Generic[T]):
    """Values of the items that could be read, and an outcome in which the others are rejected."""

    values: Sequence[tuple[int, T]]
    outcome: BatchOutcome

    def __iter__(self) -> Iterator[tuple[int, T]]:
        return iter(self.values)


class SQSBatchMessage(StreamMessage[DeliveryBatch]):
    """The messages of one batch; `items` are not decoded yet, so one bad message fails alone."""

    def __init__(self, raw_message: DeliveryBatch, items: Sequence[SQSMessage], **kwargs: Any) -> None:
        super().__init__(raw_message, list(items), **kwargs)
        self.items = list(items)
        self.outcome: BatchOutcome | None = None

    @property
    def queue(self) -> str:
        """The queue as its subscriber names it."""
        return self.raw_message.queue

    def decode_each(self, parse: Callable[[bytes], T]) -> DecodedItems[T]:
        """Parse every body; an item whose parser raises is rejected with the error's text."""
        outcome = BatchOutcome()
        values = []
        for index, item in enumerate(self.items):
            if item.unreadable is not None:
                continue  # its outcome is nobody's choice: see `BatchOutcome.apply`
            try:
                values.append((index, parse(item.body)))
            except Exception as error:  # noqa: BLE001 - whatever a parser raises concerns this item alone
                outcome.reject(index, str(error), error=error)
        return DecodedItems(values, outcome)

    async def ack(self) -> None:
        """Settle by the handler's outcome; delete everything when it returned none."""
        if self.committed is None:
            outcome = self.outcome or BatchOutcome().ack_all(len(self.items))
            await outcome.apply(self.items)
        await super().ack()

    async def nack(self, delay: float | None = None) -> None:
        """Count a failure of every message."""
        if self.committed is None:
            for item in self.items:
                await item.nack(delay)
        await super().nack()

    async def reject(self, reason: str = "") -> None:
        """Park every message."""
        if self.committed is None:
            for item in self.items:
                await item.reject(reason)
        await super().reject()


def _moment(delivery: Delivery, name: str) -> datetime | None:
    milliseconds = delivery.raw.system.get(name)
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else None


def body_size(message: StreamMessage[Any]) -> int:
    """Bytes of a message's body, or of all bodies of a batch."""
    if isinstance(message, SQSBatchMessage):
        return sum(len(item.body) for item in message.items)
    return len(message.body)


def unpack_headers(text: str) -> Mapping[str, str]:
    """The headers packed into one attribute; something else than a JSON object holds none."""
    try:
        value = orjson.loads(text)
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}
