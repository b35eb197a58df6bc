"""Periodic work that one replica does at a time, under a lease that is a document.

Guarantees: at most one holder renews a live lease; a holder that died is replaced after `ttl`. A holder
that stalls longer than `ttl` may overlap with its successor: what a tick writes must be a create or a
compare-and-set.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Protocol

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.times import format_time, parse_time

from dwh_runtime.logging import get_logger

log = get_logger(__name__)


class DocumentsPort(Protocol):
    """`dwh_eventstore.Documents`, structurally."""

    async def get(self, key: str) -> Any:
        """The newest version of the document, or None."""
        ...

    async def create(self, key: str, body: JsonObject) -> bool:
        """False if it exists."""
        ...

    async def replace(self, versioned: Any, body: JsonObject) -> bool:
        """False if `versioned` is no longer the newest."""
        ...


class LeasedTimer:
    """Calls `tick` every `interval` seconds while this process holds the lease `name`."""

    def __init__(
        self,
        name: str,
        documents: DocumentsPort,
        owner: str,
        clock: Clock,
        tick: Callable[[], Awaitable[None]],
        *,
        interval: float = 1.0,
        ttl: float = 15.0,
    ) -> None:
        self._name = name
        self._documents = documents
        self._owner = owner
        self._clock = clock
        self._tick = tick
        self._interval = interval
        self._ttl = ttl
        self._renew_at: float | None = None

    @property
    def held(self) -> bool:
        """True while this process believes it holds the lease."""
        return self._renew_at is not None

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
                await self._tick()
        except Exception as error:  # the edge of background work; see `run`
            self._renew_at = None
            log.exception("timer_tick_failed", lease=self._name, error=str(error))

    async def _hold(self) -> bool:
        now = self._clock.monotonic()
        if self._renew_at is not None and now < self._renew_at:
            return True
        held = await self._acquire()
        if held != self.held:
            log.info("lease_acquired" if held else "lease_lost", lease=self._name)
        self._renew_at = now + self._ttl / 3 if held else None
        return held

    async def _acquire(self) -> bool:
        current = await self._documents.get(self._name)
        if current is None:
            return await self._documents.create(self._name, self._body(self._ttl))
        theirs = current.body["owner"] != self._owner
        if theirs and parse_time(current.body["until"]) > self._clock.now():
            return False
        return await self._documents.replace(current, self._body(self._ttl))

    async def _give_back(self) -> None:
        if not self.held:
            return
        self._renew_at = None
        try:
            current = await self._documents.get(self._name)
            if current is not None and current.body["owner"] == self._owner:
                await self._documents.replace(current, self._body(0.0))
        except Exception as error:  # noqa: BLE001 - the lease runs out by itself
            log.warning("lease_not_given_back", lease=self._name, error=str(error))

    def _body(self, seconds: float) -> JsonObject:
        until = self._clock.now() + timedelta(seconds=seconds)
        return {"kind": "lease", "owner": self._owner, "until": format_time(until)}
