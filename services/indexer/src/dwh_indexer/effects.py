"""Append a batch to the store, then fold it into the read models; only then may it be acknowledged.

Guarantees G1, G2: an item without a failure is durable and folded. A crash between the two leaves the
messages in the queue; their redelivery meets the stored copies and folds them then.
"""

from collections.abc import Sequence
from typing import Protocol

from dwh_contracts.clock import Clock
from dwh_contracts.parse import Event
from dwh_eventstore import Entry, Origin, StoreError
from dwh_runtime.intake import Outcome, Received
from dwh_runtime.logging import get_logger
from dwh_runtime.metrics import PROJECTION_LAG_SECONDS, STORE_APPEND, start_at_zero
from dwh_runtime.outcomes import Duplicate, Poison, Retry, Unavailable

from dwh_indexer.decide import Answer, Done, Quarantine, TryAgain, Verdict, decide
from dwh_indexer.metrics import BATCH_EVENTS, FOLD_SECONDS, SWEEP_EVENTS, SWEEP_REPAIRED
from dwh_indexer.settings import SERVICE

log = get_logger(__name__)

FAILED = "failed"
_COUNTED = ("stored", "duplicate", "conflict", "rejected", FAILED)


class Events(Protocol):
    """The append-only store; `dwh_eventstore.EventLog`."""

    async def put(self, events: Sequence[Event], origin: Sequence[Origin] | None = None) -> list[Entry]:
        """Store each event once and say what became of it and what is stored."""
        ...


class Folds(Protocol):
    """The read models; `dwh_eventstore.ReadModels`."""

    async def fold(self, events: Sequence[Event]) -> None:
        """Bring every read model to include these events."""
        ...


class Turn(Protocol):
    """What one turn of the sweep did; `dwh_eventstore.replay.Swept`."""

    @property
    def events(self) -> int:
        """Folded once more."""
        ...

    @property
    def repaired(self) -> int:
        """Documents that lacked something."""
        ...


class Sweeps(Protocol):
    """`dwh_eventstore.replay.Sweep`."""

    async def turn(self) -> Turn:
        """Fold once more what came of age."""
        ...


class Repair:
    """The indexer's second effect: read models mended from the log, and every repair counted."""

    def __init__(self, sweep: Sweeps) -> None:
        self._sweep = sweep
        start_at_zero(SWEEP_REPAIRED, SERVICE)
        start_at_zero(SWEEP_EVENTS, SERVICE)

    async def tick(self) -> None:
        """One turn; run it under a lease."""
        turn = await self._sweep.turn()
        SWEEP_EVENTS.labels(SERVICE).inc(turn.events)
        SWEEP_REPAIRED.labels(SERVICE).inc(turn.repaired)
        if turn.repaired:
            log.error("read_models_repaired", documents=turn.repaired, events=turn.events)


class Indexing:
    """The indexer's one effect, in batches."""

    def __init__(self, events: Events, read_models: Folds, clock: Clock) -> None:
        self._events = events
        self._read_models = read_models
        self._clock = clock
        start_at_zero(STORE_APPEND, SERVICE, _COUNTED)

    async def index(self, received: Sequence[Received]) -> list[Outcome]:
        """Append, fold, and say of each item what becomes of its message."""
        BATCH_EVENTS.labels(SERVICE).observe(len(received))
        entries = await self._put(received)
        verdicts = [_verdict(item.event, entry) for item, entry in zip(received, entries, strict=True)]
        await self._fold(
            [
                entry.event
                for entry, verdict in zip(entries, verdicts, strict=True)
                if isinstance(verdict, Done) and entry.event is not None
            ]
        )
        return [_outcome(item.event, verdict) for item, verdict in zip(received, verdicts, strict=True)]

    async def _put(self, received: Sequence[Received]) -> list[Entry]:
        try:
            return await self._events.put(
                [item.event for item in received], [item.origin for item in received]
            )
        except StoreError:
            STORE_APPEND.labels(SERVICE, FAILED).inc(len(received))
            raise

    async def _fold(self, stored: Sequence[Event]) -> None:
        if not stored:
            return
        started = self._clock.monotonic()
        await self._read_models.fold(stored)
        FOLD_SECONDS.labels(SERVICE).observe(self._clock.monotonic() - started)
        newest = max(event.timestamp for event in stored)
        lag_seconds = max((self._clock.now() - newest).total_seconds(), 0.0)
        PROJECTION_LAG_SECONDS.labels(SERVICE, "job-events").set(lag_seconds)


def _verdict(event: Event, entry: Entry) -> Verdict:
    answer = Answer(entry.outcome.value)
    verdict = decide(answer)
    counted = FAILED if isinstance(verdict, TryAgain) else answer.value
    STORE_APPEND.labels(SERVICE, counted).inc()
    log.debug("event_appended", event_id=event.event_id, answer=answer.value)
    return verdict


def _outcome(event: Event, verdict: Verdict) -> Outcome:
    if isinstance(verdict, Quarantine):
        return Poison(verdict.reason, "event_id", f"{event.event_id}: {verdict.detail}")
    if isinstance(verdict, Done):
        return Duplicate(event.event_id) if verdict.duplicate else None
    return Unavailable(verdict.why) if verdict.overloaded else Retry(verdict.why)
