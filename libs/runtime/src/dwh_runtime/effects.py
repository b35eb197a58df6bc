"""Perform an effect once per key (G3), whatever is redelivered or killed in between.

claim (create) → call the target → close the claim with the response → record the fact.
A redelivery finds the claim closed and records the fact once more, which changes nothing; finds it held
and waits; or finds its lease run out, takes over and calls again, marked `possible_duplicate` where the
target cannot deduplicate by itself.
"""

import enum
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.parse import Event, event_from_body

from dwh_runtime import metrics
from dwh_runtime.logging import get_logger
from dwh_runtime.outcomes import Retry

log = get_logger(__name__)

LEASE_SECONDS = 30.0
_SHORTEST_WAIT_SECONDS = 1.0


class ClaimLike(Protocol):
    """What the executor reads of a claim; `dwh_eventstore.Claim` is one."""

    @property
    def state(self) -> enum.Enum:
        """ACQUIRED, TAKEN_OVER, DONE or HELD."""
        ...

    @property
    def response(self) -> JsonObject | None:
        """What `done` was given."""
        ...

    @property
    def created_at(self) -> datetime:
        """When the key was first claimed; the time of the effect's fact."""
        ...

    @property
    def until(self) -> datetime:
        """When the present lease ends."""
        ...


class ClaimsPort(Protocol):
    """`dwh_eventstore.Claims`, structurally."""

    async def acquire(
        self, key: str, *, owner: str, lease_seconds: float, detail: JsonObject | None = None
    ) -> Any:
        """Create or take over the claim of `key`."""
        ...

    async def done(self, claim: Any, response: JsonObject) -> None:
        """Close the claim for ever."""
        ...


class EffectRefused(Exception):  # noqa: N818 - says what happened, like its neighbours in outcomes
    """The target refused for good; raised by a call, recorded as failed, never tried again."""


class Step(enum.StrEnum):
    """How an effect ended."""

    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class EffectOutcome:
    """The end of one effect, the same at every redelivery."""

    step: Step
    response: JsonObject
    error: str | None
    possible_duplicate: bool
    claimed_at: datetime
    repeated: bool
    """True when an earlier delivery had ended it; nothing was called now."""


Call = Callable[[bool], Awaitable[JsonObject]]
"""Calls the target; its argument says that an earlier call may have taken effect."""

OnFact = Callable[[EffectOutcome], JsonObject | None]
"""Makes the complete body of the fact to record, or None for none."""

Record = Callable[[Sequence[Event]], Awaitable[object]]
"""`Store.record`."""


class EffectExecutor:
    """Performs effects for one service; safe to share by all its handlers."""

    def __init__(
        self,
        claims: ClaimsPort,
        record: Record,
        owner: str,
        clock: Clock,
        *,
        service: str,
        kinds: Iterable[str],
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        """`kinds`: what keys begin with, up to the first `|`; each is counted from 0."""
        self._lease_seconds = lease_seconds
        self._claims = claims
        self._record = record
        self._owner = owner
        self._clock = clock
        metrics.start_at_zero(metrics.EFFECTS, service, kinds, _OUTCOMES)
        self._service = service

    async def perform(
        self,
        key: str,
        call: Call,
        *,
        idempotent_target: bool,
        on_fact: OnFact,
        detail: JsonObject | None = None,
    ) -> EffectOutcome:
        """Make sure that the effect `key` has ended and its fact is recorded.

        Raises:
            Retry: somebody else is at it, or the call failed in a way that may pass; the claim stays
                and is taken over after its lease.
        """
        claim: ClaimLike = await self._claims.acquire(
            key, owner=self._owner, lease_seconds=self._lease_seconds, detail=detail
        )
        state = claim.state.name
        if state == "HELD":
            self._count(key, "held")
            raise Retry(f"{key} is being performed elsewhere", after=self._until(claim), counted=False)
        if state == "DONE":
            outcome = _stored(claim)
        else:
            outcome = await self._call(
                key, call, claim, again=state == "TAKEN_OVER" and not idempotent_target
            )
            await self._claims.done(claim, _response(outcome))
        self._count(key, "already_done" if outcome.repeated else _COUNTED[outcome.step])
        fact = on_fact(outcome)
        if fact is not None:
            await self._record([event_from_body(fact)])
        return outcome

    async def _call(self, key: str, call: Call, claim: ClaimLike, *, again: bool) -> EffectOutcome:
        try:
            response, step, error = await call(again), Step.SENT, None
        except EffectRefused as refusal:
            response, step, error = {}, Step.FAILED, str(refusal)
            log.warning("effect_refused", effect_key=key, error=error)
        except Exception as failure:
            self._count(key, "error")
            log.warning("effect_not_performed", effect_key=key, error=str(failure))
            raise Retry(f"{key}: {failure}", after=self._until(claim)) from failure
        return EffectOutcome(step, response, error, again, claim.created_at, repeated=False)

    def _until(self, claim: ClaimLike) -> float:
        return max((claim.until - self._clock.now()).total_seconds(), _SHORTEST_WAIT_SECONDS)

    def _count(self, key: str, outcome: str) -> None:
        metrics.EFFECTS.labels(self._service, key.partition("|")[0], outcome).inc()


_COUNTED = {Step.SENT: "done", Step.FAILED: "failed"}
_OUTCOMES = ("done", "failed", "already_done", "held", "error")


def _response(outcome: EffectOutcome) -> JsonObject:
    return {
        "step": outcome.step.value,
        "response": outcome.response,
        "error": outcome.error,
        "possible_duplicate": outcome.possible_duplicate,
    }


def _stored(claim: ClaimLike) -> EffectOutcome:
    stored: Any = claim.response or {}
    return EffectOutcome(
        step=Step(stored.get("step", Step.SENT.value)),
        response=stored.get("response") or {},
        error=stored.get("error"),
        possible_duplicate=bool(stored.get("possible_duplicate")),
        claimed_at=claim.created_at,
        repeated=True,
    )
