"""Keeps held messages invisible while they wait or are worked on.

One task over a heap of deadlines for all messages of a queue: each is extended at half its visibility
time, together with those that are due soon after, so that the calls are full batches.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from functools import partial

from faststream_sqs.clock import Clock, wait_for_event
from faststream_sqs.consume.delivery import Delivery, DeliveryState

Extend = Callable[[Delivery, float], "asyncio.Future[bool]"]

TOGETHER = 0.1
"""Beats due within this share of the visibility time are sent with the one that is due now."""


class HeartbeatLoop:
    """The one beat of a queue."""

    def __init__(self, extend: Extend, clock: Clock, *, visibility: float, limit: float) -> None:
        self._extend = extend
        self._clock = clock
        self._visibility = visibility
        self._limit = limit
        self._heap: list[tuple[float, int, Delivery]] = []
        self._order = itertools.count()
        self._earlier = asyncio.Event()

    def watch(self, delivery: Delivery) -> None:
        """Extend this delivery from now on, as long as it is held."""
        beat_at = delivery.lock_until - self._visibility / 2
        if not self._heap or beat_at < self._heap[0][0]:
            self._earlier.set()
        heapq.heappush(self._heap, (beat_at, next(self._order), delivery))

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self._earlier.clear()
            if not self._heap:
                await self._earlier.wait()
                continue
            wait = self._heap[0][0] - self._clock.monotonic()
            if wait > 0:
                await wait_for_event(self._clock, self._earlier, wait)
                continue
            self._beat()

    def _beat(self) -> None:
        now = self._clock.monotonic()
        horizon = now + self._visibility * TOGETHER
        while self._heap and self._heap[0][0] <= horizon:
            _, _, delivery = heapq.heappop(self._heap)
            if delivery.state is not DeliveryState.HELD:
                continue
            left = delivery.received_at + self._limit - now
            if left <= 0:
                continue
            future = self._extend(delivery, min(self._visibility, left))
            future.add_done_callback(partial(self._again, delivery))

    def _again(self, delivery: Delivery, _done: "asyncio.Future[bool]") -> None:
        if delivery.state is DeliveryState.HELD:
            self.watch(delivery)
