"""One received message and what may be done with it: the raw message type handlers work on."""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from faststream_sqs.transport.protocol import RawMessage

Log = Callable[[int, str, Exception | None], None]
"""Level, text and the exception behind it."""


class DeliveryState(StrEnum):
    """Where a delivery is between its receive and its end."""

    HELD = "held"
    """The lock is ours and nothing is decided."""

    SETTLING = "settling"
    """A delete or a release is under way."""

    SETTLED = "settled"
    """The delete or release is confirmed."""

    LOST = "lost"
    """The lock ran out or went to somebody else; nothing may be done any more."""

    LEFT = "left"
    """Nobody settled it; it returns when its visibility runs out."""


class Control(Protocol):
    """What the holder of a delivery may do with it."""

    async def ack(self, delivery: "Delivery", *, confirm: bool = False) -> bool:
        """Delete it; with `confirm`, return only when SQS has said so. False: the lock was lost."""
        ...

    async def claim(self, delivery: "Delivery") -> bool:
        """Delete it before it is handled. False: it must not be, for it may come again or did already."""
        ...

    async def nack(self, delivery: "Delivery", delay: float | None = None) -> None:
        """Count a failure: show it again after `delay`, or park it at the limit."""
        ...

    async def reject(self, delivery: "Delivery", reason: str = "") -> None:
        """Park it with details, whatever its receive count."""
        ...

    async def release(self, delivery: "Delivery", delay: float = 0) -> None:
        """Show it again after `delay` without counting a failure; in a lane, without letting go of it."""
        ...

    async def extend(self, delivery: "Delivery", seconds: float) -> bool:
        """Keep it invisible for so many seconds from now. False: the lock was lost."""
        ...


@dataclass(slots=True, eq=False)
class Delivery:
    """A message in our hands. Times are seconds of the consumer's steady clock."""

    raw: RawMessage
    queue: str
    control: Control
    received_at: float = 0.0
    lock_until: float = float("inf")
    state: DeliveryState = DeliveryState.HELD
    failure: BaseException | None = None
    extension: "asyncio.Future[bool] | None" = field(default=None, repr=False)
    counted: bool = False
    lane: Hashable | None = field(default=None, repr=False)
    again: float | None = None
    """Seconds until its next try in this process; None when no further one is due."""
    again_counts: bool = False
    tries: int = 0
    """Failures in this process since the receive, less the receives before it that were no failures."""
    done: bool = False
    """Whether the work is over: a delete was asked for."""
    beat: int = field(default=0, repr=False)

    @property
    def lock_lost(self) -> bool:
        """Whether somebody else may be working on this message by now."""
        return self.state is DeliveryState.LOST

    @property
    def attempts(self) -> int:
        """How often it was tried, this time included: its receives but for those that were no failures."""
        return self.raw.receive_count + self.tries

    def keep(self, seconds: float, *, counts: bool) -> None:
        """Ask for another try in this process; one that `counts` is a failure."""
        self.again, self.again_counts = seconds, counts

    def try_again(self) -> None:
        """Begin that try."""
        self.tries += self.again_counts
        self.again, self.failure = None, None


@dataclass(slots=True, eq=False)
class DeliveryBatch:
    """The deliveries of one batch, handed to the handler together."""

    deliveries: Sequence[Delivery]
    queue: str
