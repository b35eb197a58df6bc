"""Periodic work that one replica does at a time, under a lease.

Guarantees: at most one holder renews a live lease; a holder that died is replaced after `ttl`. A holder
that stalls longer than `ttl` may overlap with its successor: what a tick writes must be a create or a
compare-and-set.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from dwh_contracts.clock import Clock

from dwh_runtime.logging import get_logger

log = get_logger(__name__)


class LeasesPort(Protocol):
    """`dwh_eventstore.Leases`, structurally."""

    async def acquire(self, name: str, *, owner: str, seconds: float) -> Any:
        """Take, renew or take over the lease; None while somebody else has it."""
        ...

    async def release(self, lease: Any) -> None:
        """Give it back if it is still ours."""
        ...


def _nothing() -> None:
    """A timer that shows nothing has nothing to take back."""


class LeasedTimer:
    """Calls `tick` every `interval` seconds while this process holds `lease|<name>`.

    `lost` is called once after the last tick, when the lease is somebody else's or its term is over: it takes
    back what ticks showed, such as gauges that nobody would bring up to date any more.
    """

    def __init__(
        self,
        name: str,
        leases: LeasesPort,
        owner: str,
        clock: Clock,
        tick: Callable[[], Awaitable[None]],
        *,
        lost: Callable[[], None] = _nothing,
        interval: float = 1.0,
        ttl: float = 15.0,
    ) -> None:
        self._name = name
        self._leases = leases
        self._owner = owner
        self._clock = clock
        self._tick = tick
        self._lost = lost
        self._interval = interval
        self._ttl = ttl
        self._lease: Any = None
        self._renew_at = 0.0
        self._ours_until = 0.0
        self._ticked = False

    @property
    def held(self) -> bool:
        """True while this process believes it holds the lease."""
        return self._lease is not None

    async def run(self) -> None:
        """Tick until cancelled, then give the lease back.

        A tick or renewal that fails is logged and tried again at the next interval: the work is found
        anew by query, and the dependency gate reports what is away.
        """
        try:
            while True:
                await self.turn()
                await self._clock.sleep(self._interval)
        finally:
            await self._give_back()

    async def turn(self) -> None:
        """One interval's work: renew when a third of the term is over, then tick if the lease is ours."""
        try:
            if await self._hold():
                self._ticked = True
                await self._tick()
        except Exception as error:  # the edge of background work; see `run`
            self._lease = None
            log.exception("timer_tick_failed", lease=self._name, error=str(error))
        # A tick that failed is tried again: until the term is over nobody else can know better.
        if not self.held and self._clock.monotonic() >= self._ours_until:
            self._take_back()

    async def _hold(self) -> bool:
        now = self._clock.monotonic()
        if self._lease is not None and now < self._renew_at:
            return True
        held_before, self._lease = self.held, None
        self._lease = await self._leases.acquire(self._name, owner=self._owner, seconds=self._ttl)
        self._renew_at = now + self._ttl / 3
        self._ours_until = now + self._ttl if self.held else now
        if self.held != held_before:
            log.info("lease_acquired" if self.held else "lease_lost", lease=self._name)
        return self.held

    def _take_back(self) -> None:
        if self._ticked:
            self._ticked = False
            self._lost()

    async def _give_back(self) -> None:
        self._take_back()
        if self._lease is None:
            return
        lease, self._lease = self._lease, None
        try:
            await self._leases.release(lease)
        except Exception as error:  # noqa: BLE001 - the lease runs out by itself
            log.warning("lease_not_given_back", lease=self._name, error=str(error))
