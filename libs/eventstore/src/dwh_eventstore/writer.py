"""Send writes in bulk requests as fast as the engine takes them, and learn what became of each.

Promises one fate per write, in order; at most four requests at a time; and that a request the engine calls
too large, or a load it calls too much, is cut and repeated here. Two writes of one document in one call are
performed in their order. Does not promise that an overloaded engine takes the writes in the end: what is
still refused when its patience ends is BUSY, and nothing of it was written.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from dwh_eventstore.backend import Fate, Write, Written
from dwh_eventstore.bulk import MOST_WRITES, bulk_parts, lines
from dwh_eventstore.waits import waits

IN_FLIGHT = 4
LONGEST_ID_BYTES = 512
_MOST_AT_ONCE = IN_FLIGHT * MOST_WRITES
_FEWEST_AT_ONCE = 10
_MORE_AFTER_SUCCESS = 50
_TOO_LARGE = 413
_OK = 200
_WHOLE_REQUEST = {413: Fate.REFUSED, 429: Fate.BUSY, 502: Fate.BUSY, 503: Fate.BUSY, 504: Fate.BUSY}
"""What an answer to a whole bulk means for its items; any other is no answer about them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one bulk request: a fate per item of a 200, else the status and the engine's words."""

    status: int
    items: Sequence[Written] = ()
    reason: str = ""


T = TypeVar("T")
Send = Callable[[bytes], Awaitable[Answer]]
Sleep = Callable[[float], Awaitable[None]]
Undecided = Callable[[Answer], Exception]


class Window:
    """How many writes may be under way: more by steps while all goes well, half at once when it does not."""

    def __init__(self) -> None:
        self.size: float = _MOST_AT_ONCE
        self._writes = 0
        self._requests = 0
        self._changed = asyncio.Condition()

    @property
    def largest_request(self) -> int:
        """The most writes that one request may carry now."""
        return max(1, min(MOST_WRITES, int(self.size)))

    @property
    def narrowed(self) -> bool:
        """Whether something was turned away, and the window has not grown to its whole size since."""
        return self.size < _MOST_AT_ONCE

    async def enter(self, writes: int) -> None:
        """Wait until a request of so many writes fits."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._fits(writes))
            self._writes += writes
            self._requests += 1

    async def leave(self, writes: int, *, busy: bool) -> None:
        """End of a request; `busy` when the engine turned any of it away."""
        async with self._changed:
            self._writes -= writes
            self._requests -= 1
            self.size = max(_FEWEST_AT_ONCE, self.size / 2) if busy else self._grown()
            self._changed.notify_all()

    def _grown(self) -> float:
        return min(_MOST_AT_ONCE, self.size + _MORE_AFTER_SUCCESS)

    def _fits(self, writes: int) -> bool:
        within = self._writes + writes <= self.size
        return self._requests < IN_FLIGHT and (within or not self._requests)


class BulkWriter:
    """One per engine; shared by all tasks, so that they share its window."""

    def __init__(
        self,
        send: Send,
        *,
        undecided: Undecided,
        sleep: Sleep,
        jitter: Callable[[], float],
        patience_seconds: float,
    ) -> None:
        """`undecided` makes the exception for an answer that tells nothing of the items."""
        self._send = send
        self._undecided = undecided
        self._sleep = sleep
        self._jitter = jitter
        self._patience = patience_seconds
        self.window = Window()

    async def write(self, writes: Sequence[Write]) -> list[Written]:
        """Perform all writes; see `Backend.write`."""
        told = [encoded(write) for write in writes]
        fates = {place: each for place, each in enumerate(told) if isinstance(each, Written)}
        parts = [b"" if isinstance(each, Written) else each for each in told]
        waiting = [place for place in range(len(writes)) if place not in fates]
        in_order = len({(write.index, write.id) for write in writes}) < len(writes)
        pauses = waits(self._patience, self._jitter)
        while True:
            fates |= await self._round(parts, waiting, in_order=in_order)
            waiting = [place for place in waiting if fates[place].fate is Fate.BUSY]
            pause = next(pauses, None) if waiting else None
            if pause is None:
                break
            await self._sleep(pause)
        return [fates[place] for place in range(len(writes))]

    async def _round(
        self, encoded: Sequence[bytes], waiting: Sequence[int], *, in_order: bool
    ) -> dict[int, Written]:
        """Send everything that waits once."""
        parts = list(bulk_parts(encoded, waiting, self.window.largest_request))
        if in_order or len(parts) == 1:
            answers = [await self._part(encoded, part) for part in parts]
        else:
            answers = await all_ended([self._part(encoded, part) for part in parts])
        return {
            place: written
            for part, fates in zip(parts, answers, strict=True)
            for place, written in zip(part, fates, strict=True)
        }

    async def _part(self, encoded: Sequence[bytes], part: Sequence[int]) -> list[Written]:
        answer = await self._request([encoded[place] for place in part])
        if answer.status == _OK:
            return list(answer.items)
        if answer.status == _TOO_LARGE and len(part) > 1:
            half = len(part) // 2
            return [*await self._part(encoded, part[:half]), *await self._part(encoded, part[half:])]
        if answer.status not in _WHOLE_REQUEST:
            raise self._undecided(answer)
        return [Written(_WHOLE_REQUEST[answer.status], answer.reason) for _ in part]

    async def _request(self, encoded: Sequence[bytes]) -> Answer:
        await self.window.enter(len(encoded))
        busy = False
        try:
            answer = await self._send(b"".join(encoded))
            busy = _WHOLE_REQUEST.get(answer.status) is Fate.BUSY
            busy = busy or any(written.fate is Fate.BUSY for written in answer.items)
        finally:
            await self.window.leave(len(encoded), busy=busy)
        return answer


async def all_ended(parts: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Every part, also when one fails: nothing may be written after the caller was told."""
    answers = await asyncio.gather(*parts, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]


def encoded(write: Write) -> bytes | Written:
    """Its part of a bulk request, or why it can be in none: the engine would refuse all that is with it."""
    if len(write.id) > LONGEST_ID_BYTES // 4 and len(write.id.encode()) > LONGEST_ID_BYTES:
        return Written(Fate.REFUSED, f"an id has at most {LONGEST_ID_BYTES} bytes: {write.id[:80]}…")
    try:
        return lines(write)
    except TypeError as error:
        return Written(Fate.REFUSED, f"a value that the store cannot hold: {error}")
