"""Seal the log once an hour, by whichever replica holds the lease."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

from dwh_contracts.clock import Clock
from dwh_runtime.logging import get_logger

log = get_logger(__name__)

LEASE = "audit-seal"
EVERY = timedelta(hours=1)
LOOK_SECONDS = 60.0
LEASE_SECONDS = 300.0


class Seals(Protocol):
    """`dwh_eventstore.audit.Sealer`."""

    async def last_sealed(self) -> datetime | None:
        """When anything was sealed last."""
        ...

    async def seal(self) -> int:
        """Seal everything stored before the call; how many events are new in it."""
        ...


def hourly(sealer: Seals, clock: Clock) -> Callable[[], Awaitable[None]]:
    """A tick that seals when the last digest is an hour old."""

    async def tick() -> None:
        last = await sealer.last_sealed()
        if last is None or clock.now() - last >= EVERY:
            log.info("log_sealed", events=await sealer.seal())

    return tick
