"""Append a batch to the store, then fold it into the read models; only then may it be acknowledged.

Guarantees G1, G2: an item without a failure is durable and folded. A crash between the two leaves the
messages in the queue; their redelivery meets the stored copies and folds them then.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from dwh_contracts.clock import Clock
from dwh_contracts.parse import Event
from dwh_contracts.quarantine import QuarantineReason
from dwh_eventstore import Appended, Origin
from dwh_runtime.intake import Outcome, Received
from dwh_runtime.logging import get_logger
from dwh_runtime.metrics import PROJECTION_LAG_SECONDS, STORE_APPEND
from dwh_runtime.outcomes import Duplicate, Poison, Retry

from dwh_indexer.decide import Answer, Fate, Fold, Verdict, decide
from dwh_indexer.metrics import BATCH_EVENTS, FOLD_SECONDS
from dwh_indexer.settings import SERVICE

log = get_logger(__name__)


class Events(Protocol):
    """The append-only store; `dwh_eventstore.EventLog`."""

    async def append(self, events: Sequence[Event], origin: Sequence[Origin] | None = None) -> list[Appended]:
        """Store each event once and say what became of it."""
        ...

    async def get(self, event_id: str, timestamp: datetime, family: str = "job") -> Event | None:
        """The stored copy, in real time."""
        ...


class Folds(Protocol):
    """The read models; `dwh_eventstore.ReadModels`."""

    async def fold(self, events: Sequence[Event]) -> None:
        """Bring every read model to include these events."""
        ...


class Indexing:
    """The indexer's one effect, in batches."""

    def __init__(self, events: Events, read_models: Folds, clock: Clock) -> None:
        self._events = events
        self._read_models = read_models
        self._clock = clock

    async def index(self, received: Sequence[Received]) -> list[Outcome]:
        """Append, fold, and say of each item what becomes of its message."""
        events = [item.event for item in received]
        BATCH_EVENTS.labels(SERVICE).observe(len(events))
        appended = await self._events.append(events, [item.origin for item in received])
        answers = [Answer(outcome.value) for outcome in appended]
        for event, answer in zip(events, answers, strict=True):
            STORE_APPEND.labels(SERVICE, answer.value).inc()
            log.debug("event_appended", event_id=event.event_id, answer=answer.value)
        verdicts = [decide(event.event_type, answer) for event, answer in zip(events, answers, strict=True)]
        await self._fold(events, verdicts)
        return [_outcome(*each) for each in zip(events, answers, verdicts, strict=True)]

    async def _fold(self, events: Sequence[Event], verdicts: Sequence[Verdict]) -> None:
        copies = [
            await self._copy(event, verdict.fold)
            for event, verdict in zip(events, verdicts, strict=True)
            if verdict.fold is not Fold.NONE
        ]
        if not copies:
            return
        started = self._clock.monotonic()
        await self._read_models.fold(copies)
        FOLD_SECONDS.labels(SERVICE).observe(self._clock.monotonic() - started)
        newest = max(event.timestamp for event in copies)
        lag_seconds = max((self._clock.now() - newest).total_seconds(), 0.0)
        PROJECTION_LAG_SECONDS.labels(SERVICE, "job-events").set(lag_seconds)

    async def _copy(self, event: Event, fold: Fold) -> Event:
        if fold is Fold.THIS:
            return event
        return await self._events.get(event.event_id, event.timestamp) or event


_DETAILS = {
    QuarantineReason.CONFLICTING_CONTENT: "this id is stored with other content",
    QuarantineReason.UNMAPPABLE: "the store cannot hold this event",
}


def _outcome(event: Event, answer: Answer, verdict: Verdict) -> Outcome:
    if verdict.reason is not None:
        return Poison(verdict.reason, "event_id", f"{event.event_id}: {_DETAILS[verdict.reason]}")
    if verdict.fate is Fate.RETRY:
        return Retry(_WAITS[answer])
    return Duplicate(event.event_id) if verdict.fate is Fate.DUPLICATE else None


_WAITS = {
    Answer.MISSING_INDEX: "the current month has no index; `dwh bootstrap` makes it",
    Answer.BUSY: "the store is overloaded",
}
