"""Keeps held messages invisible while they wait or are worked on, and notices when they no longer are.

One task over a heap of deadlines for all messages of a queue: each is extended at half its visibility
time, together with those that are due soon after, so that the calls are full batches. A message whose
lock ran out all the same (no heartbeat, its limit, an SQS that is away) is reported lost at that moment.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable

from faststream_sqs.clock import Clock, wait_for_event
from faststream_sqs.consume.delivery import Delivery, DeliveryState

Extend = Callable[[Delivery, float], object]

TOGETHER = 0.1
"""Beats due within this share of the visibility time are sent with the one that is due now."""

LEAST_GAIN_SECONDS = 1.0
"""SQS counts whole seconds: a shorter extension up to the limit could show the message at once."""


class HeartbeatLoop:
    """The one beat of a queue."""

    def __init__(
        self,
        extend: Extend,
        lost: Callable[[Delivery], None],
        clock: Clock,
        *,
        visibility: float,
        limit: float,
    ) -> None:
        """Extend up to `limit` seconds after the receive; whoever extends calls `watch` on success."""
        self._extend = extend
        self._lost = lost
        self._clock = clock
        self._visibility = visibility
        self._limit = limit
        self._heap: list[tuple[float, int, Delivery]] = []
        self._order = itertools.count(1)
        self._earlier = asyncio.Event()

    def watch(self, delivery: Delivery) -> None:
        """Follow this delivery from now on, as long as it is held; again whenever its lock changed."""
        self._schedule(self._due(delivery), delivery)

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
        held = []
        while self._heap and self._heap[0][0] <= horizon:
            _, number, delivery = heapq.heappop(self._heap)
            if number != delivery.beat or delivery.state is not DeliveryState.HELD:
                continue
            if now >= delivery.lock_until:
                self._lost(delivery)
                continue
            held.append(delivery)
        for delivery in held:
            self._schedule(delivery.lock_until, delivery)
            if delivery.extension is None and self._extendable(delivery) and self._due(delivery) <= horizon:
                self._extend(delivery, min(self._visibility, delivery.received_at + self._limit - now))

    def _schedule(self, at: float, delivery: Delivery) -> None:
        if not self._heap or at < self._heap[0][0]:
            self._earlier.set()
        delivery.beat = next(self._order)
        heapq.heappush(self._heap, (at, delivery.beat, delivery))

    def _due(self, delivery: Delivery) -> float:
        return delivery.lock_until - (self._visibility / 2 if self._extendable(delivery) else 0.0)

    def _extendable(self, delivery: Delivery) -> bool:
        return delivery.lock_until + LEAST_GAIN_SECONDS < delivery.received_at + self._limit
