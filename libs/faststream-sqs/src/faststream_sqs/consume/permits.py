"""Permits bound the messages that are held at one time: buffered, in a handler, or being settled.

A permit is taken before a receive and given back when the message's delete, release or lock loss is
confirmed. Giving it back when the handler returns would let acknowledgements lag without bound.
"""

import asyncio

from faststream_sqs.schemas import MAX_BATCH

IN_FLIGHT_CEILING = 120_000
"""SQS stops handing out messages of a queue at about this many in flight."""

LINGER_SECONDS = 0.02
"""How long a receive waits for a full batch of permits: short receives cost calls."""


class Permits:
    """A counted pool with partial takes."""

    def __init__(self, total: int, *, linger: float = LINGER_SECONDS) -> None:
        if total < 1:
            msg = "at least one message must be allowed in flight"
            raise ValueError(msg)
        self.total = min(total, IN_FLIGHT_CEILING)
        self.free = self.total
        self._linger = linger
        self._closed = False
        self._changed = asyncio.Event()

    @property
    def taken(self) -> int:
        """How many permits are out."""
        return self.total - self.free

    async def take(self, most: int = MAX_BATCH) -> int:
        """Take 1 to `most` permits; waits for a full batch only while any are out. 0 once closed."""
        wanted = min(most, self.total)
        while not self._closed:
            await self._until(1)
            if 0 < self.free < wanted and self.taken:
                try:
                    async with asyncio.timeout(self._linger):
                        await self._until(wanted)
                except TimeoutError:
                    pass
            count = min(self.free, wanted)
            if count and not self._closed:
                self.free -= count
                return count
        return 0

    def give(self, count: int = 1) -> None:
        """Put permits back."""
        if count < 0 or self.free + count > self.total:
            msg = f"{count} permits given back, {self.taken} were out"
            raise ValueError(msg)
        self.free += count
        self._changed.set()

    def close(self) -> None:
        """Let every waiting and later take return 0."""
        self._closed = True
        self._changed.set()

    async def _until(self, count: int) -> None:
        while self.free < count and not self._closed:
            self._changed.clear()
            await self._changed.wait()
