"""One rebuild of a read model at a time: leases in `projection-registry`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dwh_contracts.clock import Clock
from dwh_contracts.times import format_time

from dwh_eventstore import indices
from dwh_eventstore.backend import Backend
from dwh_eventstore.documents import Documents
from dwh_eventstore.errors import StoreError
from dwh_eventstore.leases import Lease, Leases

LOCK_SECONDS = 30.0


class Held(StoreError):  # noqa: N818 - a state of the world, not a fault of the caller
    """Somebody else rebuilds this read model; says who, and until when unless they renew it."""


class Lock:
    """`lease|rebuild|<name>`; a holder that was killed loses it after 30 seconds."""

    def __init__(self, backend: Backend, clock: Clock, name: str, owner: str) -> None:
        self._documents = Documents(backend, indices.REGISTRY)
        self._leases = Leases(self._documents, clock)
        self._clock = clock
        self._name = name
        self._owner = owner
        self._lease: Lease | None = None
        self._renew_at = 0.0

    async def holder(self) -> str | None:
        """Who has it, as text for people, or None."""
        current = await self._documents.get(f"lease|{self._lease_name}")
        if current is None or str(current.body["until"]) <= self._now():
            return None
        return f"{current.body['owner']} (until {current.body['until']} unless renewed)"

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold it for a while.

        Raises:
            Held: somebody else has it.
        """
        await self._take()
        try:
            yield
        finally:
            if self._lease is not None:
                await self._leases.release(self._lease)

    async def keep(self) -> None:
        """Renew it in time; call this between steps of a few seconds.

        Raises:
            Held: it ran out meanwhile and somebody else took it.
        """
        if self._clock.monotonic() >= self._renew_at:
            await self._take()

    async def _take(self) -> None:
        self._lease = await self._leases.acquire(self._lease_name, owner=self._owner, seconds=LOCK_SECONDS)
        if self._lease is None:
            raise Held(f"{self._name} is being rebuilt by {await self.holder() or 'somebody else'}")
        self._renew_at = self._clock.monotonic() + LOCK_SECONDS / 3

    @property
    def _lease_name(self) -> str:
        return f"rebuild|{self._name}"

    def _now(self) -> str:
        return format_time(self._clock.now())
