"""Keeps messages of one key in their order: one lane per key, one message of a lane at work.

A message that failed stays at the head of its lane and is tried again in this process, its lock and those
of the messages behind it kept by heartbeats; other lanes go on meanwhile. A lane moves on once its head
was acknowledged or parked. When a head leaves otherwise (lock lost, shown again), the messages behind it
are shown again, too, so that nothing overtakes it.

Does not order across processes: on FIFO queues SQS does, on standard queues nobody.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from faststream_sqs.clock import Clock
from faststream_sqs.consume.delivery import Delivery, DeliveryState, Log

KeyOf = Callable[[Delivery], Hashable | None]
"""The lane of a message; None for a message that need not wait for any other."""


def group_of(delivery: Delivery) -> str | None:
    """The lane of `order="group"`: the message group, or a lane of its own for a message without one."""
    return delivery.raw.system.get("MessageGroupId")


@dataclass(slots=True, eq=False)
class Lane:
    """Messages of one key, oldest first; the first one is at work, ready, or waits for its next try."""

    key: Hashable
    waiting: deque[Delivery] = field(default_factory=deque)
    pause: "asyncio.Task[None] | None" = None


class Lanes:
    """The backlog of an ordered subscriber: hands out heads, one at a time."""

    def __init__(
        self,
        key_of: KeyOf,
        clock: Clock,
        *,
        wake: Callable[[], None],
        give_up: Callable[[Iterable[Delivery]], None],
        log: Log,
    ) -> None:
        """`wake` is called when a head got ready, `give_up` with messages that must be shown again."""
        self._key_of = key_of
        self._clock = clock
        self._wake = wake
        self._give_up = give_up
        self._log = log
        self._lanes: dict[Hashable, Lane] = {}
        self._ready: deque[Lane] = deque()
        self._working: dict[Delivery, Lane] = {}
        self._closed = False

    def __len__(self) -> int:
        held = sum(len(lane.waiting) for lane in self._lanes.values())
        return held if self._closed else held - len(self._working)

    def add(self, delivery: Delivery, now: float) -> None:  # noqa: ARG002 - of groups, which lanes do not make
        """Append a message to its lane."""
        key = self._key(delivery)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key)
            self._ready.append(lane)
        lane.waiting.append(delivery)

    def wait(self, now: float) -> float | None:  # noqa: ARG002 - heads are ready or not
        """0 when a head may start, None when none may."""
        return 0.0 if self._ready else None

    def take(self, most: int | None = None) -> list[Delivery]:  # noqa: ARG002 - one is the least there is
        """The next head; nothing when its lane had to be given up."""
        lane = self._ready.popleft()
        head = lane.waiting[0]
        if head.state is not DeliveryState.HELD:
            self._advance(lane)
            return []
        self._working[head] = lane
        return [head]

    def ended(self, group: Sequence[Delivery]) -> None:
        """The handler of a head ended: move on, or wait for the next try."""
        for head in group:
            lane = self._working.pop(head)
            if self._closed:
                continue
            if head.state is DeliveryState.HELD and head.again is not None:
                lane.pause = asyncio.get_running_loop().create_task(self._try_again(lane, head, head.again))
            else:
                self._advance(lane)

    def gone(self, delivery: Delivery) -> None:
        """A message was settled or lost; matters to a lane whose head was waiting for its next try."""
        lane = self._lanes.get(self._key(delivery))
        if lane is not None and lane.pause is not None and lane.waiting[0] is delivery:
            lane.pause.cancel()
            lane.pause = None
            self._advance(lane)

    def clear(self) -> list[Delivery]:
        """Remove and return everything that is not at work."""
        self._closed = True
        left: list[Delivery] = []
        for lane in self._lanes.values():
            if lane.pause is not None:
                lane.pause.cancel()
            left.extend(delivery for delivery in lane.waiting if delivery not in self._working)
        self._lanes.clear()
        self._ready.clear()
        return left

    def _key(self, delivery: Delivery) -> Hashable:
        if delivery.lane is None:
            try:
                delivery.lane = self._key_of(delivery)
                hash(delivery.lane)
            except Exception as error:  # noqa: BLE001 - a message without a key must reach its handler, not end the poll
                self._log(logging.ERROR, f"no order key for message {delivery.raw.message_id}", error)
                delivery.lane = None
            if delivery.lane is None:
                delivery.lane = (Lane, delivery.raw.message_id)  # a lane of its own
        return delivery.lane

    def _advance(self, lane: Lane) -> None:
        head = lane.waiting.popleft()
        if not head.done:
            rest = list(lane.waiting)
            lane.waiting.clear()
            self._give_up(rest)
        if lane.waiting:
            self._ready.append(lane)
            self._wake()
        else:
            del self._lanes[lane.key]

    async def _try_again(self, lane: Lane, head: Delivery, seconds: float) -> None:
        await self._clock.sleep(seconds)
        lane.pause = None
        head.try_again()
        self._ready.append(lane)
        self._wake()
