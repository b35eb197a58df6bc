"""Leases: work that one replica at a time should do."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.times import format_time, parse_time

from dwh_eventstore.documents import Documents, Versioned


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do something until `until`."""

    name: str
    owner: str
    until: datetime


class Leases:
    """Documents `lease|<name>`.

    A holder that stalls may overlap with its successor: whatever is done under a lease must itself be a
    create or a compare-and-set.
    """

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    async def acquire(self, name: str, *, owner: str, seconds: float) -> Lease | None:
        """Take, renew or take over the lease; None while somebody else has it."""
        key = f"lease|{name}"
        now = self._clock.now()
        current = await self._documents.get(key)
        if current is None:
            lease, body = self._held(name, owner, seconds)
            won = await self._documents.create(key, {**body, "created_at": format_time(now)})
            return lease if won else None
        if current.body.get("owner") != owner and parse_time(str(current.body["until"])) > now:
            return None
        return await self._replace(current, name, owner, seconds)

    async def renew(self, lease: Lease, *, seconds: float) -> Lease | None:
        """Hold it longer, also after it ran out; None if anybody has taken it since."""
        while True:
            current = await self._documents.get(f"lease|{lease.name}")
            if current is None or current.body.get("owner") != lease.owner:
                return None
            if renewed := await self._replace(current, lease.name, lease.owner, seconds):
                return renewed

    async def _replace(self, current: Versioned, name: str, owner: str, seconds: float) -> Lease | None:
        lease, body = self._held(name, owner, seconds)
        return lease if await self._documents.replace(current, current.body | body) else None

    def _held(self, name: str, owner: str, seconds: float) -> tuple[Lease, JsonObject]:
        until = self._clock.now() + timedelta(seconds=seconds)
        return Lease(name, owner, until), {"kind": "lease", "owner": owner, "until": format_time(until)}

    async def release(self, lease: Lease) -> None:
        """Give the lease back if it is still ours."""
        current = await self._documents.get(f"lease|{lease.name}")
        if current is not None and current.body.get("owner") == lease.owner:
            ended = current.body | {"until": format_time(self._clock.now())}
            await self._documents.replace(current, ended)
