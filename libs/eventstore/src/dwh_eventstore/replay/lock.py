"""One rebuild of a read model at a time: leases in `projection-registry`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from dwh_contracts.clock import Clock
from dwh_contracts.times import format_time

from dwh_eventstore import indices
from dwh_eventstore.backend import Backend
from dwh_eventstore.documents import Documents
from dwh_eventstore.errors import StoreError, StoreUnavailable
from dwh_eventstore.leases import Lease, Leases

LOCK_SECONDS = 15.0
_RELEASE_SECONDS = 3.0


class Held(StoreError):  # noqa: N818 - a state of the world, not a fault of the caller
    """Somebody else rebuilds this read model; says who, and until when unless they renew it."""


class Lock:
    """`lease|rebuild|<name>`; a holder that was killed loses it after 15 seconds."""

    def __init__(
        self,
        backend: Backend,
        clock: Clock,
        name: str,
        owner: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._documents = Documents(backend, indices.REGISTRY)
        self._leases = Leases(self._documents, clock)
        self._now = clock.now
        self._name = name
        self._owner = owner
        self._lease: Lease | None = None
        self._renewing = asyncio.Lock()
        self._sleep = sleep

    async def holder(self) -> str | None:
        """Who has it, as text for people, or None."""
        current = await self._documents.get(f"lease|{self._lease_name}")
        if current is None or str(current.body["until"]) <= format_time(self._now()):
            return None
        return f"{current.body['owner']} (until {current.body['until']} unless renewed)"

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold it for a while, renewed as long as this process runs.

        Raises:
            Held: somebody else has it.
        """
        self._lease = await self._leases.acquire(self._lease_name, owner=self._owner, seconds=LOCK_SECONDS)
        if self._lease is None:
            raise Held(f"{self._name} is being rebuilt by {await self.holder() or 'somebody else'}")
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError):
                await renewing
            if self._lease is not None:
                with suppress(StoreUnavailable, TimeoutError):  # it runs out by itself
                    async with asyncio.timeout(_RELEASE_SECONDS):
                        await self._leases.release(self._lease)

    async def check(self) -> None:
        """Return if it is still ours; call this before a step.

        It may have run out, as after a long pause of this process or of the engine: it is ours again unless
        somebody took it meanwhile.

        Raises:
            Held: somebody did.
        """
        while (lease := self._lease) is not None and lease.until <= self._now():
            await self._renewed(lease)
        if self._lease is None:
            raise Held(f"the lock on {self._name} was lost; run it again")

    async def _renew(self) -> None:
        while (lease := self._lease) is not None:
            await self._sleep(LOCK_SECONDS / 3)
            with suppress(StoreUnavailable):  # tried again before it runs out
                await self._renewed(lease)

    async def _renewed(self, lease: Lease) -> None:
        """Renew this lease, unless another task of ours has done it meanwhile."""
        async with self._renewing:
            if self._lease is lease:
                self._lease = await self._leases.renew(lease, seconds=LOCK_SECONDS)

    @property
    def _lease_name(self) -> str:
        return f"rebuild|{self._name}"
