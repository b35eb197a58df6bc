"""Claim an effect before it is performed, so that it is performed once (G3)."""

import enum
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.times import format_time, parse_time

from dwh_eventstore.documents import Documents, Versioned
from dwh_eventstore.errors import StoreUnavailable

_TRIES = 20


class ClaimState(enum.StrEnum):
    """Who may perform the effect."""

    ACQUIRED = "acquired"
    """The caller, and nobody tried before."""
    TAKEN_OVER = "taken_over"
    """The caller; an earlier holder's lease ran out, its call may have taken effect."""
    DONE = "done"
    """Nobody: it was performed; `response` is the target's answer."""
    HELD = "held"
    """Somebody else, until `until`."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One answer to `Claims.acquire`."""

    key: str
    state: ClaimState
    owner: str
    created_at: datetime
    until: datetime
    response: JsonObject | None
    version: Versioned


class Claims:
    """Claims by effect key in `effects-v1`."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    async def acquire(
        self, key: str, *, owner: str, lease_seconds: float, detail: JsonObject | None = None
    ) -> Claim:
        """Claim the effect for `lease_seconds`, or learn who has it or that it is done.

        Of any number of concurrent callers one gets ACQUIRED; after a lease ran out, one gets TAKEN_OVER.
        """
        for _ in range(_TRIES):
            now = self._clock.now()
            current = await self._documents.get(key)
            if current is None:
                body = _pending(owner, now, now, lease_seconds) | {"detail": detail}
                if await self._documents.create(key, body):
                    return await self._mine(key, ClaimState.ACQUIRED, owner)
                continue
            claim = _claim(current)
            if claim.state is ClaimState.DONE or claim.until > now:
                return claim
            body = current.body | _pending(owner, claim.created_at, now, lease_seconds)
            if await self._documents.replace(current, body):
                return await self._mine(key, ClaimState.TAKEN_OVER, owner)
        raise StoreUnavailable(f"{key} changed hands {_TRIES} times while it was being claimed")

    async def done(self, claim: Claim, response: JsonObject) -> None:
        """Mark the effect as performed, for good. The first response stays."""
        current: Versioned | None = claim.version
        for _ in range(_TRIES):
            if current is None:
                raise StoreUnavailable(f"the claim {claim.key} is gone")
            if current.body.get("state") == "DONE":
                return
            finished: JsonObject = {
                "state": "DONE",
                "response": response,
                "done_at": format_time(self._clock.now()),
            }
            if await self._documents.replace(current, current.body | finished):
                return
            current = await self._documents.get(claim.key)
        raise StoreUnavailable(f"{claim.key} changed hands {_TRIES} times while it was being closed")

    async def _mine(self, key: str, state: ClaimState, owner: str) -> Claim:
        """The claim as just written; if another took it over meanwhile, it is held."""
        current = await self._documents.get(key)
        if current is None:
            raise StoreUnavailable(f"the claim {key} is gone")
        claim = _claim(current)
        if claim.state is ClaimState.HELD and claim.owner == owner:
            return replace(claim, state=state)
        return claim


def _pending(owner: str, created_at: datetime, now: datetime, lease_seconds: float) -> JsonObject:
    return {
        "kind": "claim",
        "state": "PENDING",
        "owner": owner,
        "created_at": format_time(created_at),
        "until": format_time(now + timedelta(seconds=lease_seconds)),
    }


def _claim(current: Versioned) -> Claim:
    body = current.body
    response = body.get("response")
    return Claim(
        key=current.key,
        state=ClaimState.DONE if body.get("state") == "DONE" else ClaimState.HELD,
        owner=str(body.get("owner")),
        created_at=parse_time(str(body["created_at"])),
        until=parse_time(str(body["until"])),
        response=response if isinstance(response, dict) else None,
        version=current,
    )
