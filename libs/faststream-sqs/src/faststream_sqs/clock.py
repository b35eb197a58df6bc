"""The time this package goes by, so that tests can hold it still."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """A steady clock and a sleep that follows it."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed on this clock."""
        ...


class SystemClock:
    """The clock of this machine."""

    def monotonic(self) -> float:
        """Seconds of the system's steady clock."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch by the system's wall clock."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Sleep in the running event loop."""
        await asyncio.sleep(seconds)


async def wait_for_event(clock: Clock, event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set or `seconds` have passed on `clock`, whichever is first."""
    waiter = asyncio.ensure_future(event.wait())
    sleeper = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((waiter, sleeper), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (waiter, sleeper):
            task.cancel()
        await asyncio.gather(waiter, sleeper, return_exceptions=True)
