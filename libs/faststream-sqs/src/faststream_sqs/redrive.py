"""Dead letters: count them, look at them, send them back as they were.

A redriven message has the body and the attributes of the original, byte for byte. It is sent first and
deleted after, so a crash in between leaves it twice, never nowhere.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faststream_sqs.clock import Clock, SystemClock
from faststream_sqs.parking import parking_details, restored
from faststream_sqs.produce.sizing import batches
from faststream_sqs.schemas import MAX_BATCH, MAX_QUEUE_BYTES, Queue
from faststream_sqs.transport.protocol import (
    OutgoingMessage,
    QueueInfo,
    RawMessage,
    Transport,
    TransportError,
    explained,
)

HOLD_SECONDS = 300
"""How long a message stays invisible while it is looked at."""


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """A queue that has dead letters, where they go and about how many there are."""

    queue: str
    url: str
    messages: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter; `details` say why it was parked, empty when SQS itself moved it."""

    raw: RawMessage
    details: Mapping[str, Any]

    @property
    def body(self) -> str:
        """The body as it was sent."""
        return self.raw.body

    @property
    def message_id(self) -> str:
        """The id that SQS gave the dead letter."""
        return self.raw.message_id

    @property
    def parked_at(self) -> float:
        """When it was parked, in seconds since the epoch; 0 when SQS itself moved it."""
        return float(self.details.get("parked_at", 0)) / 1000

    def original(self, *, fifo: bool = False) -> OutgoingMessage:
        """The message as it was before it was parked."""
        return OutgoingMessage(
            self.raw.body,
            restored(self.raw.attributes),
            group_id=self.raw.system.get("MessageGroupId", self.raw.message_id) if fifo else None,
            dedup_id=self.raw.message_id if fifo else None,
        )


@dataclass(frozen=True, slots=True)
class Redriven:
    """What a redrive did: ids of messages sent back, of those left, and why some were refused."""

    moved: Sequence[str]
    kept: Sequence[str]
    refused: Mapping[str, str]


async def dead_letter_queues(transport: Transport, queues: Sequence[str]) -> list[DeadLetterQueue]:
    """Those of the queues that have a dead-letter queue."""
    found = []
    for queue in queues:
        url = (await _resolved(transport, queue)).dead_letter_url
        if url is not None:
            found.append(DeadLetterQueue(queue, url, await transport.count(url)))
    return found


async def peek(transport: Transport, queue: str, *, limit: int = MAX_BATCH) -> list[DeadLetter]:
    """Up to `limit` dead letters of a queue; they stay, visible again at once."""
    url = _dead_letters_of(queue, await _resolved(transport, queue))
    letters: list[DeadLetter] = []
    try:
        while len(letters) < limit:
            more = await _next(transport, url, min(MAX_BATCH, limit - len(letters)))
            if not more:
                break
            letters += more
    finally:
        await _release(transport, url, letters)
    return letters


async def redrive(
    transport: Transport,
    queue: str,
    *,
    match: Callable[[DeadLetter], bool] = lambda _: True,
    limit: int | None = None,
    dry_run: bool = False,
    clock: Clock | None = None,
    progress: Callable[[int], None] = lambda _looked_at: None,
) -> Redriven:
    """Send dead letters of a queue back to it; with `dry_run`, only tell which.

    Letters for which `match` is false stay, and so do those parked after the start: what fails again at once
    is not sent round and round. Ends when a receive brings nothing that was not looked at. `progress` hears
    how many were looked at so far.

    Raises:
        TransportError: a call failed; it names the queue. What was sent back so far stays sent back.
    """
    started = (clock or SystemClock()).time()
    info = await _resolved(transport, queue)
    url = _dead_letters_of(queue, info)
    held: list[DeadLetter] = []
    moved: list[str] = []
    kept: list[str] = []
    refused: dict[str, str] = {}
    try:
        while limit is None or len(moved) < limit:
            letters = await _next(transport, url, _share(limit, len(moved)))
            seen = {*moved, *kept}
            held += [letter for letter in letters if letter.message_id in seen]  # held longer than their lock
            letters = [letter for letter in letters if letter.message_id not in seen]
            if not letters:
                break
            chosen = [letter for letter in letters if letter.parked_at <= started and match(letter)]
            failed = {} if dry_run else await _move(transport, info.url, url, chosen)
            refused |= failed
            gone = [letter for letter in chosen if letter.message_id not in failed]
            moved += [letter.message_id for letter in gone]
            kept += [letter.message_id for letter in letters if letter not in gone]
            held += [letter for letter in letters if dry_run or letter not in gone]
            progress(len(moved) + len(kept))
    except TransportError as error:
        raise error.about(queue) from None
    finally:
        await _release(transport, url, held)
    return Redriven(moved, kept, refused)


async def _move(
    transport: Transport, target: str, source: str, letters: Sequence[DeadLetter]
) -> dict[str, str]:
    """Send, then delete; the ids that were refused, with the reason."""
    fifo = Queue(target).fifo
    waiting = list(letters)
    failed: dict[str, str] = {}
    for group in list(batches([letter.original(fifo=fifo) for letter in letters], MAX_QUEUE_BYTES)):
        sent, waiting = waiting[: len(group)], waiting[len(group) :]
        results = await transport.send(target, group)
        done = []
        for letter, result in zip(sent, results, strict=True):
            if result.ok:
                done.append(letter.raw.receipt)
            else:
                failed[letter.message_id] = explained(result.code, result.detail)
        if done:
            await transport.delete(source, done)
    return failed


def _share(limit: int | None, done: int) -> int:
    return MAX_BATCH if limit is None else min(MAX_BATCH, limit - done)


async def _next(transport: Transport, url: str, limit: int) -> list[DeadLetter]:
    messages = await transport.receive(url, limit=limit, wait_seconds=1, visibility=HOLD_SECONDS)
    return [DeadLetter(raw, parking_details(raw.attributes)) for raw in messages]


async def _release(transport: Transport, url: str, letters: Sequence[DeadLetter]) -> None:
    for start in range(0, len(letters), MAX_BATCH):
        receipts = [letter.raw.receipt for letter in letters[start : start + MAX_BATCH]]
        await transport.change_visibility(url, [(receipt, 0) for receipt in receipts])


async def _resolved(transport: Transport, queue: str) -> QueueInfo:
    try:
        return await transport.resolve(queue)
    except TransportError as error:
        raise error.about(queue) from None


def _dead_letters_of(queue: str, info: QueueInfo) -> str:
    if info.dead_letter_url is None:
        raise TransportError("NoDeadLetterQueue", f"{queue} has no redrive policy", retryable=False)
    return info.dead_letter_url
