"""SQS and SNS in memory, on any clock: visibility, delays, redrive, FIFO groups, fan-out.

Behaves as AWS documents it where consumers depend on it; the same suite runs on this and on real servers.
"""

import asyncio
import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from faststream_sqs.clock import Clock, SystemClock, wait_for_event
from faststream_sqs.schemas import MAX_VISIBILITY_SECONDS
from faststream_sqs.transport.protocol import (
    EntryResult,
    OutgoingMessage,
    QueueInfo,
    RawMessage,
    TransportError,
)

DEDUPLICATION_SECONDS = 300.0


@dataclass(slots=True, eq=False)
class _Stored:
    message: OutgoingMessage
    message_id: str
    sent_at: float
    visible_at: float
    receipt: str = ""
    received_at: float = 0.0
    receives: int = 0
    first_received_at: float | None = None


@dataclass(slots=True, eq=False)
class _Queue:
    url: str
    dead_letter_url: str | None
    max_receives: int
    messages: list[_Stored] = field(default_factory=list)
    duplicates: dict[str, tuple[float, str]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def fifo(self) -> bool:
        return self.url.endswith(".fifo")


class MemoryTransport:
    """A `Transport` that keeps everything in this object. Queues must be created first."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._ids = itertools.count(1)
        self._queues: dict[str, _Queue] = {}
        self._subscriptions: dict[str, list[tuple[str, bool]]] = {}
        self.calls: list[str] = []
        self.opened = False

    # topology

    def create_queue(self, name: str, *, dead_letters: str | None = None, max_receives: int = 10) -> str:
        """Create a queue and return its URL; `dead_letters` names another queue of this transport."""
        url = f"memory://queues/{name}"
        target = self._queue(dead_letters).url if dead_letters else None
        self._queues[url] = _Queue(url, target, max_receives)
        return url

    def delete_queue(self, name: str) -> None:
        """Delete a queue, by name or URL, with its messages; policies go on naming it."""
        del self._queues[self._queue(name).url]

    def create_topic(self, name: str) -> str:
        """Create a topic and return its ARN."""
        arn = f"arn:aws:sns:us-east-1:000000000000:{name}"
        self._subscriptions.setdefault(arn, [])
        return arn

    def subscribe(self, topic_arn: str, queue: str, *, raw: bool = True) -> None:
        """Deliver what is published to the topic into the queue."""
        self._subscriptions[topic_arn].append((self._queue(queue).url, raw))

    def bodies(self, queue: str) -> list[str]:
        """Bodies of all messages in a queue, visible or not."""
        return [stored.message.body for stored in self._queue(queue).messages]

    def messages(self, queue: str) -> list[OutgoingMessage]:
        """All messages in a queue as they were sent."""
        return [stored.message for stored in self._queue(queue).messages]

    def in_flight(self, queue: str) -> int:
        """Messages that are invisible after a receive."""
        now = self._clock.monotonic()
        return sum(stored.visible_at > now and stored.receives > 0 for stored in self._queue(queue).messages)

    # Transport

    async def open(self, *, polls: int, wait_seconds: float) -> None:  # noqa: ARG002 - the port's signature
        """Nothing to prepare."""
        self.opened = True

    async def close(self) -> None:
        """Messages stay."""
        self.opened = False

    async def resolve(self, queue: str) -> QueueInfo:
        """Find a queue by name or URL."""
        found = self._queue(queue)
        try:
            return QueueInfo(found.url, found.dead_letter_url and self._queue(found.dead_letter_url).url)
        except TransportError as error:
            return QueueInfo(found.url, dead_letter_fault=str(error.about(error.detail.rpartition("/")[2])))

    async def count(self, queue_url: str) -> int:
        """Messages a receive could bring now."""
        now = self._clock.monotonic()
        return sum(stored.visible_at <= now for stored in self._queue(queue_url).messages)

    async def receive(
        self, queue_url: str, *, limit: int, wait_seconds: float, visibility: int
    ) -> list[RawMessage]:
        """Wait for messages on this transport's clock."""
        self.calls.append("receive")
        await asyncio.sleep(0)  # a call to a server gives others a turn, too
        queue = self._queue(queue_url)
        deadline = self._clock.monotonic() + wait_seconds
        while True:
            queue.changed.clear()
            taken = self._take(queue, limit, visibility)
            now = self._clock.monotonic()
            if taken or now >= deadline:
                return taken
            later = [s.visible_at for s in queue.messages if s.visible_at > now]
            await wait_for_event(self._clock, queue.changed, min([deadline, *later]) - now)

    async def delete(self, queue_url: str, receipts: Sequence[str]) -> list[EntryResult]:
        """Delete messages; the receipt of an older receive deletes nothing, one that never was is refused."""
        self.calls.append("delete")
        queue = self._queue(queue_url)
        results = []
        for receipt in receipts:
            if "#" not in receipt:
                results.append(EntryResult(ok=False, code="ReceiptHandleIsInvalid", detail=receipt))
                continue
            stored = self._find(queue, receipt)
            if stored is not None:
                queue.messages.remove(stored)
                queue.changed.set()
            results.append(EntryResult(ok=True))
        return results

    async def change_visibility(
        self, queue_url: str, changes: Sequence[tuple[str, int]]
    ) -> list[EntryResult]:
        """Change when messages are shown again."""
        self.calls.append("change_visibility")
        queue = self._queue(queue_url)
        return [self._change(queue, receipt, seconds) for receipt, seconds in changes]

    async def send(self, queue_url: str, messages: Sequence[OutgoingMessage]) -> list[EntryResult]:
        """Store messages."""
        self.calls.append("send")
        queue = self._queue(queue_url)
        return [self._store(queue, message) for message in messages]

    async def publish(self, topic_arn: str, messages: Sequence[OutgoingMessage]) -> list[EntryResult]:
        """Store messages in every subscribed queue."""
        self.calls.append("publish")
        if topic_arn not in self._subscriptions:
            raise TransportError("NotFound", topic_arn, retryable=False)
        results = []
        for message in messages:
            message_id = self._next_id()
            for url, raw in self._subscriptions[topic_arn]:
                self._store(self._queue(url), message if raw else _enveloped(topic_arn, message_id, message))
            results.append(EntryResult(ok=True, message_id=message_id))
        return results

    def _queue(self, name_or_url: str) -> _Queue:
        url = name_or_url if "://" in name_or_url else f"memory://queues/{name_or_url}"
        if url not in self._queues:
            raise TransportError("AWS.SimpleQueueService.NonExistentQueue", name_or_url, retryable=False)
        return self._queues[url]

    def _next_id(self) -> str:
        return hashlib.sha256(str(next(self._ids)).encode()).hexdigest()[:32]

    def _store(self, queue: _Queue, message: OutgoingMessage) -> EntryResult:
        now = self._clock.monotonic()
        message_id = self._next_id()
        if queue.fifo:
            if message.group_id is None:
                return EntryResult(ok=False, code="MissingParameter", detail="MessageGroupId")
            key = message.dedup_id or hashlib.sha256(message.body.encode()).hexdigest()
            sent_at, known = queue.duplicates.get(key, (-DEDUPLICATION_SECONDS, ""))
            if known and now - sent_at < DEDUPLICATION_SECONDS:
                return EntryResult(ok=True, message_id=known)
            queue.duplicates[key] = (now, message_id)
        queue.messages.append(_Stored(message, message_id, now, now + message.delay_seconds))
        queue.changed.set()
        return EntryResult(ok=True, message_id=message_id)

    def _take(self, queue: _Queue, limit: int, visibility: int) -> list[RawMessage]:
        now = self._clock.monotonic()
        locked = {s.message.group_id for s in queue.messages if s.visible_at > now and s.receives}
        taken: list[RawMessage] = []
        for stored in list(queue.messages):
            if len(taken) == limit:
                break
            if stored.visible_at > now or (queue.fifo and stored.message.group_id in locked):
                continue
            if queue.dead_letter_url in self._queues and stored.receives >= queue.max_receives:
                queue.messages.remove(stored)
                self._move(self._queues[queue.dead_letter_url], stored)
                continue
            taken.append(self._receive_one(stored, now, visibility))
        return taken

    def _move(self, queue: _Queue, stored: _Stored) -> None:
        queue.messages.append(_Stored(stored.message, stored.message_id, stored.sent_at, 0.0))
        queue.changed.set()

    def _receive_one(self, stored: _Stored, now: float, visibility: int) -> RawMessage:
        stored.receives += 1
        stored.receipt = f"{stored.message_id}#{stored.receives}"
        stored.received_at = now
        stored.visible_at = now + visibility
        if stored.first_received_at is None:
            stored.first_received_at = now
        system = {
            "ApproximateReceiveCount": str(stored.receives),
            "SentTimestamp": self._epoch_milliseconds(stored.sent_at),
            "ApproximateFirstReceiveTimestamp": self._epoch_milliseconds(stored.first_received_at),
        }
        if stored.message.group_id is not None:
            system["MessageGroupId"] = stored.message.group_id
        return RawMessage(
            stored.message_id, stored.receipt, stored.message.body, dict(stored.message.attributes), system
        )

    def _epoch_milliseconds(self, at: float) -> str:
        return str(int((self._clock.time() - self._clock.monotonic() + at) * 1000))

    @staticmethod
    def _find(queue: _Queue, receipt: str) -> _Stored | None:
        return next((stored for stored in queue.messages if stored.receipt == receipt), None)

    def _change(self, queue: _Queue, receipt: str, seconds: int) -> EntryResult:
        now = self._clock.monotonic()
        stored = self._find(queue, receipt)
        if stored is None or stored.visible_at <= now:
            return EntryResult(ok=False, code="MessageNotInflight", detail=receipt)
        if now + seconds - stored.received_at > MAX_VISIBILITY_SECONDS:
            return EntryResult(ok=False, code="InvalidParameterValue", detail="more than 12 hours in all")
        stored.visible_at = now + seconds
        queue.changed.set()
        return EntryResult(ok=True)


def _enveloped(topic_arn: str, message_id: str, message: OutgoingMessage) -> OutgoingMessage:
    attributes = {n: {"Type": a.data_type, "Value": a.text} for n, a in message.attributes.items()}
    envelope = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": topic_arn,
        "Message": message.body,
        "MessageAttributes": attributes,
    }
    if message.subject:
        envelope["Subject"] = message.subject
    return OutgoingMessage(json.dumps(envelope), group_id=message.group_id, dedup_id=message.dedup_id)
