"""Stop eating bad messages: too many in a row mean a bad deploy, not bad luck (G9).

Guarantees: at `limit` refused messages in a row on one queue receiving stops; from then on one message
passes each `every` seconds, whatever was already received; the first good one releases the brake.
State lives in the process: a restart releases it, too.
"""

import asyncio
from collections.abc import Awaitable, Callable

from dwh_contracts.clock import Clock

from dwh_runtime.logging import get_logger
from dwh_runtime.outcomes import Retry

log = get_logger(__name__)

Announce = Callable[[bool], Awaitable[None]]
"""Called with True when the brake engages and False when it releases."""

LIMIT = 100
EVERY_SECONDS = 60.0
_LOOK_SECONDS = 1.0


class PoisonBrake:
    """Counts refusals in a row on one queue and meters what passes once there are too many."""

    def __init__(
        self,
        pause: Callable[[], Awaitable[None]],
        resume: Callable[[], Awaitable[None]],
        clock: Clock,
        *,
        limit: int = LIMIT,
        every: float = EVERY_SECONDS,
        announce: Announce | None = None,
    ) -> None:
        self._pause = pause
        self._resume = resume
        self._clock = clock
        self._limit = limit
        self._every = every
        self._announce = announce
        self._in_a_row = 0
        self._waiting = 0
        self._next_at = 0.0
        self._engaged = asyncio.Event()
        self._released = asyncio.Event()
        self._stopped = False

    @property
    def engaged(self) -> bool:
        """True while only one message passes each `every` seconds."""
        return self._engaged.is_set()

    async def admit(self) -> bool:
        """Return when the caller's message may be handled: at once, unless the brake is engaged.

        True when the message took one of the metered turns.

        Raises:
            Retry: the service stops while the message waits for its turn; it goes back to the queue.
        """
        while self.engaged:
            if self._stopped:
                raise Retry("stopping while the poison brake is engaged", after=0, counted=False)
            wait_seconds = self._next_at - self._clock.monotonic()
            if wait_seconds <= 0:
                self._next_at = self._clock.monotonic() + self._every
                await self._pause()
                return True
            self._waiting += 1
            try:
                await self._sleep_or_release(wait_seconds)
            finally:
                self._waiting -= 1
        return False

    async def refused(self) -> None:
        """One more message was quarantined."""
        self._in_a_row += 1
        if self.engaged or self._in_a_row < self._limit:
            return
        self._next_at = self._clock.monotonic() + self._every
        self._released.clear()
        self._engaged.set()
        log.error("poison_brake_engaged", refused_in_a_row=self._in_a_row, seconds_between=self._every)
        await self._pause()
        await self._tell(engaged=True)

    async def good(self) -> None:
        """A message was understood; the count begins anew."""
        self._in_a_row = 0
        if not self.engaged:
            return
        self._engaged.clear()
        self._released.set()
        log.warning("poison_brake_released")
        await self._resume()
        await self._tell(engaged=False)

    async def run(self) -> None:
        """Let the queue be received from when a turn is due and nobody received earlier waits for it.

        On cancellation every waiting message is sent back, so that a drain need not wait for its turn.
        """
        try:
            while True:
                await self._engaged.wait()
                due_seconds = self._next_at - self._clock.monotonic()
                if due_seconds <= 0 and not self._waiting:
                    await self._resume()
                await self._sleep_or_release(max(due_seconds, _LOOK_SECONDS))
        finally:
            self._stopped = True
            self._released.set()

    async def _tell(self, *, engaged: bool) -> None:
        if self._announce is not None:
            await self._announce(engaged)

    async def _sleep_or_release(self, seconds: float) -> None:
        either = {
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(self._released.wait()),
        }
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in either:
                waiter.cancel()
