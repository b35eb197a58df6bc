"""Append events to the store, once each, and read them back.

Promises that an event whose outcome is STORED or DUPLICATE is durable. Does not promise that `find` sees
it at once; `get` does. Quarantining a CONFLICT or a REJECTED event is the caller's part: only the caller
has the bytes as received.
"""

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.parse import Event, event_from_body
from dwh_contracts.times import format_time
from pydantic import JsonValue

from dwh_eventstore import indices
from dwh_eventstore.backend import Backend, Create, Fate, Found, Query, Where, Written
from dwh_eventstore.hashing import content_hash
from dwh_eventstore.mappings import SEARCHABLE_EVENT_FIELDS

EFFECT_FIELDS = (
    *("service", "effect", "outcome", "sink", "queue", "type", "target", "trigger_id", "incident_id"),
    *("input_event_id", "reason", "lag_seconds", "depth", "rev"),
)
_FIRST_STAYS = frozenset({"dag_run_created", "dag_run_finished", "trigger_failed"})
_REASON_INDEXED = 500
_KNOWN = 20_000


class Appended(enum.StrEnum):
    """What became of one appended event."""

    STORED = "stored"
    """Durable, and it was not there before."""
    DUPLICATE = "duplicate"
    """The same event was there; nothing changed."""
    CONFLICT = "conflict"
    """Another content was there under its id; it stays, quarantine this one."""
    MISSING_INDEX = "missing_index"
    """The index of its month is missing; try again, and run the bootstrap."""
    BUSY = "busy"
    """The engine is overloaded; try again."""
    REJECTED = "rejected"
    """The engine cannot hold it; quarantine it."""

    @property
    def durable(self) -> bool:
        """True when the event is in the store."""
        return self in {Appended.STORED, Appended.DUPLICATE}

    @property
    def retry(self) -> bool:
        """True when the same call may succeed later."""
        return self in {Appended.MISSING_INDEX, Appended.BUSY}


class Origin(Protocol):
    """Where an event came from; recorded beside it, outside its hash."""

    @property
    def topic(self) -> str | None:
        """Address of the topic, if it came by one."""
        ...

    @property
    def sns_message_id(self) -> str | None:
        """Id of the notification."""
        ...

    @property
    def sqs_message_id(self) -> str | None:
        """Id of the queue's message."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """An outcome and the event that is in the store under that id; None where none is known to be."""

    outcome: Appended
    event: Event | None


@dataclass(slots=True)
class _Item:
    """One event on its way into the store."""

    event: Event
    family: str
    create: Create
    outcome: Appended | None = None
    stored: Event | None = None


class EventLog:
    """The append-only part of the store."""

    def __init__(self, backend: Backend, *, recorder: str, clock: Clock) -> None:
        self._backend = backend
        self._recorder = recorder
        self._clock = clock
        self._known: dict[tuple[str, str], JsonValue] = {}
        """Content hashes of what this writer stored last: most duplicates come soon, and need no look."""

    async def append(self, events: Sequence[Event], origin: Sequence[Origin] | None = None) -> list[Appended]:
        """Store each event once; one outcome per event, in order.

        Raises:
            StoreUnavailable: no outcome is known; appending again is harmless.
        """
        return [entry.outcome for entry in await self.put(events, origin)]

    async def put(self, events: Sequence[Event], origin: Sequence[Origin] | None = None) -> list[Entry]:
        """`append` that also tells what is stored: of two facts under one id the first stays."""
        origins: Sequence[Origin | None] = origin or [None] * len(events)
        now = format_time(self._clock.now())
        items = [self._item(event, came, now) for event, came in zip(events, origins, strict=True)]
        for batch in _by_rights(items):
            await self._append(batch)
        return [_entry(item) for item in items]

    async def _append(self, items: Sequence[_Item]) -> None:
        """One round for all items, a second for those that belong to the late index."""
        existing: list[_Item] = []
        late: list[_Item] = []
        written_items = await self._backend.write([item.create for item in items])
        for item, written in zip(items, written_items, strict=True):
            item.outcome = self._outcome(item, written)
            if item.outcome is Appended.STORED:
                self._remember(item.create)
            elif item.outcome is None and self._is_known(item.create, written):
                item.outcome, item.stored = Appended.DUPLICATE, item.event
            elif item.outcome is None:
                (late if self._is_late(item, written) else existing).append(item)
        await self._compare(existing)
        if late:
            await self._append_late(late)

    def _outcome(self, item: _Item, written: Written) -> Appended | None:
        """The outcome where one look decides it, else None."""
        if written.fate is Fate.MISSING_INDEX and not self._is_late(item, written):
            return Appended.MISSING_INDEX
        return _FINAL.get(written.fate)

    def _remember(self, create: Create) -> None:
        self._known[create.index, create.id] = create.body["content_hash"]
        if len(self._known) > _KNOWN:
            del self._known[next(iter(self._known))]

    def _is_known(self, create: Create, written: Written) -> bool:
        known = self._known.get((create.index, create.id))
        return written.fate is Fate.CONFLICT and known == create.body["content_hash"]

    def _is_late(self, item: _Item, written: Written) -> bool:
        if item.create.index == indices.LATE:
            return False
        if written.fate is Fate.BLOCKED:
            return True
        past = indices.month_of(item.event.timestamp) < indices.month_of(self._clock.now())
        return written.fate is Fate.MISSING_INDEX and past

    async def _append_late(self, items: Sequence[_Item]) -> None:
        """Look into the closed month first: what is there is a duplicate or a conflict."""
        await self._compare(items)
        absent = [item for item in items if item.outcome is Appended.BUSY]
        for item in absent:
            item.create = replace(item.create, index=indices.LATE)
        if absent:
            await self._append(absent)

    async def _compare(self, items: Sequence[_Item]) -> None:
        """Decide between duplicate and conflict by the stored content hash; BUSY where nothing is stored."""
        if not items:
            return
        found = await self._backend.read([(item.create.index, item.create.id) for item in items])
        for item, stored in zip(items, found, strict=True):
            item.outcome = _compared(item, stored)
            item.stored = _stored(item, stored)

    def _item(self, event: Event, origin: Origin | None, now: str) -> _Item:
        family = event.family
        body = stored_document(event, origin, family, self._recorder, now)
        index = indices.month_index(family, event.timestamp)
        return _Item(event, family, Create(index, event.event_id, body))

    async def get(self, event_id: str, timestamp: datetime, family: str = "job") -> Event | None:
        """The event of this id and time, also when it was stored a moment ago."""
        references = [(indices.month_index(family, timestamp), event_id), (indices.LATE, event_id)]
        for found in await self._backend.read(references):
            if found is not None:
                return _event(found)
        return None

    async def find(self, family: str, where: Where, *, limit: int = 1000, order: str = "asc") -> list[Event]:
        """Events with these envelope values, by time; sees what was stored up to about a second ago.

        Raises:
            ValueError: a field that no event is searchable by.
        """
        unknown = set(where) - SEARCHABLE_EVENT_FIELDS
        if unknown:
            raise ValueError(f"events are not searchable by {', '.join(sorted(unknown))}")
        query = Query(
            indices=(indices.month_pattern(family), indices.LATE),
            where=where,
            sort=(("timestamp", order), ("event_id", order)),
            limit=limit,
        )
        found = [_event(hit) for hit in await self._backend.search(query)]
        return [event for event in found if event.family == family]


_FINAL = {
    Fate.WRITTEN: Appended.STORED,
    Fate.BUSY: Appended.BUSY,
    Fate.REFUSED: Appended.REJECTED,
}


def stored_document(
    event: Event, origin: Origin | None, family: str, recorder: str, recorded_at: str
) -> JsonObject:
    """The document of an event: searchable envelope, recorder fields, and the event as received."""
    body = event.body
    document: JsonObject = {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "environment": event.environment,
        **{name: body.get(name) for name in ("job_name", "job_run_id", "attempt")},
        "timestamp": event.time,
        "stream": event.stream if event.job_run_id else None,
        "schema_version": body.get("schema_version"),
        "content_hash": content_hash(body),
        "correlation_id": body.get("correlation_id"),
        "causation_id": body.get("causation_id"),
        "recorded_at": recorded_at,
        "recorder": recorder,
        "topic": origin.topic if origin else None,
        "sns_message_id": origin.sns_message_id if origin else None,
        "sqs_message_id": origin.sqs_message_id if origin else None,
        "body": body,
    }
    if family == "effect":
        document |= {name: body[name] for name in EFFECT_FIELDS if body.get(name) is not None}
        reason = document.get("reason")
        if isinstance(reason, str):
            document["reason"] = reason[
                :_REASON_INDEXED
            ]  # a keyword holds 32 kB at most; the body has it all
    return document


def _entry(item: _Item) -> Entry:
    if item.outcome is Appended.STORED:
        return Entry(item.outcome, item.event)
    return Entry(item.outcome or Appended.BUSY, item.stored)


def _by_rights(items: Sequence[_Item]) -> list[list[_Item]]:
    """Batches in which no id stands twice and one family stands alone.

    One item that a role forbids would turn a mixed bulk into a refusal of all.
    """
    batches: dict[tuple[str, int], list[_Item]] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for item in items:
        key = (item.create.index, item.create.id)
        batches.setdefault((item.family, seen[key]), []).append(item)
        seen[key] += 1
    return [batches[key] for key in sorted(batches, key=lambda key: key[1])]


def _same(item: _Item, stored: Found) -> bool:
    return stored.body.get("content_hash") == item.create.body["content_hash"]


def _stored(item: _Item, stored: Found | None) -> Event | None:
    """What stands under the item's id; the item's own event says the same where the hashes are equal."""
    if stored is None:
        return None
    return item.event if _same(item, stored) else _event(stored)


def _compared(item: _Item, stored: Found | None) -> Appended:
    if stored is None:
        return Appended.BUSY
    if _same(item, stored) or item.family == "effect" or item.event.event_type in _FIRST_STAYS:
        return Appended.DUPLICATE
    return Appended.CONFLICT


def _event(found: Found) -> Event:
    body = found.body["body"]
    if not isinstance(body, dict):
        raise TypeError(f"{found.index}/{found.id} holds no event body")
    return event_from_body(body)
