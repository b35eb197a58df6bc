"""Long polls of one queue, in lanes.

A lane never ends on an error and never raises. Lanes grow while receives come back full and shrink to
one when they come back empty. A poll is never cancelled to stop: the next message would go to the dead
poll and stay in flight until its visibility ran out.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from faststream_sqs.clock import Clock, wait_for_event
from faststream_sqs.consume.permits import Permits
from faststream_sqs.schemas import MAX_BATCH
from faststream_sqs.transport.protocol import RawMessage

FIRST_BACK_OFF_SECONDS = 0.5
LAST_BACK_OFF_SECONDS = 5.0
"""With one more refusal, for credentials that were renewed a moment too early, still within ten seconds."""

WEDGED_AFTER_SECONDS = 40.0
"""A poll may take this much longer than its wait before its lane counts as stuck."""

Receive = Callable[[int], Awaitable[Sequence[RawMessage]]]


class LaneState(StrEnum):
    """What a lane is doing; only a poll that does not come back counts as standing still."""

    WAITING = "waiting"
    """For permits, or paused."""

    POLLING = "polling"
    """A receive is under way."""

    BACKING_OFF = "backing_off"
    """The last receive failed."""


@dataclass(slots=True, eq=False)
class Lane:
    """One loop of receives."""

    state: LaneState
    since: float
    task: "asyncio.Task[None] | None" = field(default=None)


class Poller:
    """All lanes of one queue."""

    def __init__(
        self,
        receive: Receive,
        arrived: Callable[[Sequence[RawMessage]], None],
        permits: Permits,
        clock: Clock,
        *,
        wait_seconds: float,
        max_lanes: int,
        on_failure: Callable[[Exception, int], None] = lambda _error, _times: None,
    ) -> None:
        self._receive = receive
        self._arrived = arrived
        self._permits = permits
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._max_lanes = max_lanes
        self._on_failure = on_failure
        self._open = asyncio.Event()
        self._open.set()
        self._stopping = asyncio.Event()
        self.lanes: list[Lane] = []
        self.failures = 0

    def start(self) -> None:
        """Start the first lane."""
        self._grow()

    @property
    def paused(self) -> bool:
        """Whether no receive is started."""
        return not self._open.is_set()

    def pause(self) -> None:
        """Start no further receive; one under way still brings its messages."""
        self._open.clear()

    def resume(self) -> None:
        """Receive again."""
        self._open.set()

    def stop(self) -> None:
        """Start no further receive, ever; lanes end when their poll comes back."""
        self._stopping.set()
        self._open.set()
        self._permits.close()

    async def wait_ended(self, seconds: float) -> bool:
        """Wait for the lanes to end; False when some still poll after so many seconds."""
        tasks = [lane.task for lane in self.lanes if lane.task is not None]
        if not tasks:
            return True
        _, pending = await asyncio.wait(tasks, timeout=seconds)
        return not pending

    async def cancel(self) -> None:
        """Cut the polls that are still under way."""
        tasks = [lane.task for lane in self.lanes if lane.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.lanes.clear()

    @property
    def turning(self) -> bool:
        """Whether every lane made progress within its wait and 40 seconds."""
        return self.age < self._wait_seconds + WEDGED_AFTER_SECONDS

    @property
    def age(self) -> float:
        """Seconds since the slowest lane made progress; endless when the poller died."""
        if not self.lanes:
            return 0.0 if self._stopping.is_set() else float("inf")
        now = self._clock.monotonic()
        return max(self._lane_age(lane, now) for lane in self.lanes)

    @staticmethod
    def _lane_age(lane: Lane, now: float) -> float:
        if lane.task is not None and lane.task.done():
            return float("inf")
        return now - lane.since if lane.state is LaneState.POLLING else 0.0

    def _grow(self) -> None:
        lane = Lane(LaneState.WAITING, self._clock.monotonic())
        self.lanes.append(lane)
        lane.task = asyncio.get_running_loop().create_task(self._run(lane), name="sqs-poll")

    def _mark(self, lane: Lane, state: LaneState) -> None:
        lane.state = state
        lane.since = self._clock.monotonic()

    async def _run(self, lane: Lane) -> None:
        while not self._stopping.is_set():
            self._mark(lane, LaneState.WAITING)
            await self._open.wait()
            permits = await self._permits.take(MAX_BATCH)
            if not permits or not self._open.is_set() or self._stopping.is_set():
                self._permits.give(permits)
                continue
            self._mark(lane, LaneState.POLLING)
            count = await self._poll(permits)
            if count is None:
                spent = self._clock.monotonic() - lane.since
                self._mark(lane, LaneState.BACKING_OFF)
                await self._back_off(spent)
            elif count == 0 and lane is not self.lanes[0]:
                break
            elif count == MAX_BATCH and len(self.lanes) < self._max_lanes and not self._stopping.is_set():
                self._grow()
        if lane in self.lanes and not self._stopping.is_set():
            self.lanes.remove(lane)

    async def _poll(self, permits: int) -> int | None:
        """One receive; how many messages it brought, None when it failed."""
        count = 0
        try:
            messages = await self._receive(permits)
            count = len(messages)
            if messages:
                self._arrived(messages)
        except Exception as error:  # noqa: BLE001 - a poll loop survives everything, or consumption stops silently
            self.failures += 1
            self._on_failure(error, self.failures)
            return None
        finally:
            self._permits.give(permits - count)
        self.failures = 0
        return count

    async def _back_off(self, spent: float) -> None:
        """Pause between attempts; the time that the failed one took counts, so a time-out needs no more."""
        bound = min(LAST_BACK_OFF_SECONDS, FIRST_BACK_OFF_SECONDS * 2.0 ** min(self.failures - 1, 10))
        seconds = bound * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load
        if seconds > spent:
            await wait_for_event(self._clock, self._stopping, seconds - spent)
