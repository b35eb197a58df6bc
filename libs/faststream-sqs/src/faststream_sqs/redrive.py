"""Dead letters: count them, look at them, send them back as they were.

A redriven message has the body and the attributes of the original, byte for byte. It is sent first and
deleted after, so a crash in between leaves it twice, never nowhere.

Letters are those of the queue's redrive policy, or of the queue that `dead_letters` names, as does
`Parking(queue=)`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from faststream_sqs.clock import Clock, SystemClock
from faststream_sqs.parking import parking_details, restored
from faststream_sqs.produce.sizing import batches
from faststream_sqs.schemas import MAX_BATCH, MAX_QUEUE_BYTES, Queue
from faststream_sqs.transport.protocol import (
    EntryResult,
    OutgoingMessage,
    QueueInfo,
    RawMessage,
    Transport,
    TransportError,
    explained,
)

HOLD_SECONDS = 300
"""How long a message stays invisible while it is looked at."""

DELETE_ATTEMPTS = 3
DELETE_BACK_OFF_SECONDS = 0.2


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
    """What a redrive did: ids of messages sent back, of those left, and why some were refused.

    `undeleted` are those of `moved` that are still dead letters, with the reason: delete them, or the next
    redrive sends them a second time. `unseen` is about how many letters of a FIFO queue were not looked at,
    because ten that stay stand before them in their group: send or delete those first.
    """

    moved: Sequence[str]
    kept: Sequence[str]
    refused: Mapping[str, str]
    undeleted: Mapping[str, str] = field(default_factory=dict)
    unseen: int = 0


async def dead_letter_queues(transport: Transport, queues: Sequence[str]) -> list[DeadLetterQueue]:
    """Those of the queues that have a dead-letter queue."""
    found = []
    for queue in queues:
        url = (await _resolved(transport, queue)).dead_letter_url
        if url is not None:
            found.append(DeadLetterQueue(queue, url, await transport.count(url)))
    return found


async def peek(
    transport: Transport, queue: str, *, limit: int = MAX_BATCH, dead_letters: str | None = None
) -> list[DeadLetter]:
    """Up to `limit` dead letters of a queue; they stay, visible again at once.

    Of one group of a FIFO queue they are the first ten at most.
    """
    _, url = await _places(transport, queue, dead_letters)
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
    dead_letters: str | None = None,
    clock: Clock | None = None,
    progress: Callable[[int], None] = lambda _looked_at: None,
) -> Redriven:
    """Send dead letters of a queue back to it; with `dry_run`, only tell which.

    Letters for which `match` is false stay, and so do those parked after the start: what fails again at once
    is not sent round and round. Ends when a receive brings nothing that was not looked at, and when none of
    the letters just sent back could be deleted. `progress` hears how many were looked at so far.

    Raises:
        TransportError: a call failed; it names the queue. What was sent back so far stays sent back.
    """
    clock = clock or SystemClock()
    started = clock.time()
    target, url = await _places(transport, queue, dead_letters)
    held: list[DeadLetter] = []
    moved: list[str] = []
    kept: list[str] = []
    refused: dict[str, str] = {}
    undeleted: dict[str, str] = {}
    unseen = 0
    try:
        while limit is None or len(moved) < limit:
            letters = await _next(transport, url, _share(limit, len(moved)))
            seen = {*moved, *kept}
            held += [letter for letter in letters if letter.message_id in seen]  # held longer than their lock
            letters = [letter for letter in letters if letter.message_id not in seen]
            if not letters:
                unseen = await transport.count(url) if held and Queue(url).fifo else 0
                break
            chosen = [letter for letter in letters if letter.parked_at <= started and match(letter)]
            failed, left = ({}, {}) if dry_run else await _move(transport, target, url, chosen, clock)
            refused |= failed
            undeleted |= left
            gone = [letter for letter in chosen if letter.message_id not in failed]
            moved += [letter.message_id for letter in gone]
            kept += [letter.message_id for letter in letters if letter not in gone]
            held += [letter for letter in letters if dry_run or letter not in gone]
            progress(len(moved) + len(kept))
            if gone and len(left) == len(gone):
                break
    except TransportError as error:
        raise error.about(queue) from None
    finally:
        await _release(transport, url, held)
    return Redriven(moved, kept, refused, undeleted, unseen)


async def _move(
    transport: Transport, target: str, source: str, letters: Sequence[DeadLetter], clock: Clock
) -> tuple[dict[str, str], dict[str, str]]:
    """Send, then delete; the ids that were refused, and those that were sent and stay, with the reason."""
    fifo = Queue(target).fifo
    waiting = list(letters)
    failed: dict[str, str] = {}
    undeleted: dict[str, str] = {}
    for group in list(batches([letter.original(fifo=fifo) for letter in letters], MAX_QUEUE_BYTES)):
        sent, waiting = waiting[: len(group)], waiting[len(group) :]
        results = await transport.send(target, group)
        done = []
        for letter, result in zip(sent, results, strict=True):
            if result.ok:
                done.append(letter)
            else:
                failed[letter.message_id] = explained(result.code, result.detail)
        undeleted |= await _delete(transport, source, done, clock)
    return failed, undeleted


async def _delete(
    transport: Transport, url: str, letters: Sequence[DeadLetter], clock: Clock
) -> dict[str, str]:
    """Delete, and again what may succeed later; the ids that stay, with the reason."""
    failed: dict[str, str] = {}
    waiting = list(letters)
    for attempt in range(DELETE_ATTEMPTS):
        if not waiting:
            break
        if attempt:
            await clock.sleep(DELETE_BACK_OFF_SECONDS * 2**attempt)
        try:
            results = await transport.delete(url, [letter.raw.receipt for letter in waiting])
        except TransportError as error:
            answer = EntryResult(ok=False, code=error.code, detail=error.detail, retryable=error.retryable)
            results = [answer] * len(waiting)
        again = []
        for letter, result in zip(waiting, results, strict=True):
            failed[letter.message_id] = explained(result.code, result.detail)
            if result.ok:
                del failed[letter.message_id]
            elif result.retryable:
                again.append(letter)
        waiting = again
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


async def _places(transport: Transport, queue: str, named: str | None) -> tuple[str, str]:
    """The URLs of a queue and of its dead letters."""
    info = await _resolved(transport, queue)
    if named is not None:
        return info.url, (await _resolved(transport, named)).url
    if info.dead_letter_url is None:
        why = info.dead_letter_fault or f"{queue} has no redrive policy"
        raise TransportError("NoDeadLetterQueue", why, retryable=False)
    return info.url, info.dead_letter_url
