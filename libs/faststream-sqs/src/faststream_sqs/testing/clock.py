"""A clock that stands still until it is told to go on."""

import asyncio
import heapq
import itertools
from collections.abc import Callable

EPOCH_OF_TESTS = 1_760_000_000.0


class ManualClock:
    """Implements `faststream_sqs.clock.Clock`; `advance` wakes the sleepers whose time has come."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        """Seconds since the start, as advanced."""
        return self._now

    def time(self) -> float:
        """Seconds since the epoch, as advanced."""
        return EPOCH_OF_TESTS + self._now

    @property
    def sleepers(self) -> int:
        """How many sleeps are under way."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` were advanced."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + max(0.0, seconds), next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Go on; sleepers wake in order, each at its own time, and run before the next one wakes."""
        until = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= until:
            at, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                self._now = max(self._now, at)
                future.set_result(None)
                await settled()
        self._now = until
        await settled()


class JumpingClock(ManualClock):
    """Goes on by itself: once nobody has anything to do, to the moment when the next sleeper wakes."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__(start)
        self._jumps: set[asyncio.Task[None]] = set()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock, which take no time."""
        jump = asyncio.get_running_loop().create_task(self._jump())
        self._jumps.add(jump)
        jump.add_done_callback(self._jumps.discard)
        await super().sleep(seconds)

    async def _jump(self) -> None:
        await settled()
        awake = [at for at, _, future in self._sleepers if not future.done()]
        if awake:
            await self.advance(max(0.0, min(awake) - self._now))


async def settled(turns: int = 20) -> None:
    """Let everything run that can run without time going on."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def eventually(condition: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Return once the condition holds; raises TimeoutError when it does not within `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - conditions of tests are plain values, nobody signals them
            await asyncio.sleep(0.002)
