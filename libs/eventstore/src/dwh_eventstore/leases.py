"""Leases: work that one replica at a time should do."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.times import format_time, parse_time

from dwh_eventstore.documents import Documents


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
        until = now + timedelta(seconds=seconds)
        body: JsonObject = {"kind": "lease", "owner": owner, "until": format_time(until)}
        current = await self._documents.get(key)
        if current is None:
            won = await self._documents.create(key, {**body, "created_at": format_time(now)})
        elif current.body.get("owner") != owner and parse_time(str(current.body["until"])) > now:
            won = False
        else:
            won = await self._documents.replace(current, current.body | body)
        return Lease(name, owner, until) if won else None

    async def release(self, lease: Lease) -> None:
        """Give the lease back if it is still ours."""
        current = await self._documents.get(f"lease|{lease.name}")
        if current is not None and current.body.get("owner") == lease.owner:
            ended = current.body | {"until": format_time(self._clock.now())}
            await self._documents.replace(current, ended)
