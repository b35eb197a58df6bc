"""What is kept of an incident: causes, clears, decisions, the episode, and the head that holds them. Pure.

The head is one document per incident key, changed by compare-and-set. What it keeps beside the incident
(clears, decided runs) lets a raise that arrives late meet what already closed it.
"""

import hashlib
from collections.abc import Iterable, Sequence
from enum import StrEnum

from dwh_contracts.canonical import JsonObject
from dwh_contracts.times import UtcTime
from pydantic import BaseModel, ConfigDict

from dwh_alerts.routes import Severity

CLEARS_KEPT = 200
CLOSED_CAUSES_KEPT = 200
_DEDUP_KEY_BYTES = 255
_DEDUP_KEY_HEAD = 222


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True)


class State(StrEnum):
    """State of an incident; silences and flapping stand beside it."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Transition(StrEnum):
    """What happened to an incident; each one is a rev of its own."""

    OPENED = "opened"
    UPDATED = "updated"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    REOPENED = "reopened"


class Cause(_Kept):
    """One run that broke one rule."""

    alert_id: str
    rule: str
    severity: Severity
    job_run_id: str
    attempt: int
    event_id: str
    timestamp: UtcTime
    window_start: UtcTime | None
    window_end: UtcTime | None
    needs_decision: bool
    closed_by: str | None = None


class Clear(_Kept):
    """An event that closes earlier causes of a rule, as far as its data reach."""

    event_id: str
    timestamp: UtcTime
    window_end: UtcTime | None

    def covers(self, cause: Cause) -> bool:
        """A clear counts if it is newer and its data window ends no earlier; unknown ends do not count."""
        if self.timestamp <= cause.timestamp:
            return False
        return self.window_end is None or cause.window_end is None or self.window_end >= cause.window_end

    def makes_needless(self, other: "Clear") -> bool:
        """Does this clear cover whatever `other` covers?"""
        reaches = self.window_end is None or (
            other.window_end is not None and self.window_end >= other.window_end
        )
        return self.timestamp >= other.timestamp and reaches


class Decided(_Kept):
    """The accepted decision, or the expiry, of one run attempt."""

    event_id: str
    job_run_id: str
    attempt: int
    decision: str
    decided_by: str


class Outcome(StrEnum):
    """What is to become of a delivery when it is planned."""

    PLANNED = "planned"
    SKIPPED_STALE = "skipped_stale"


class Delivery(_Kept):
    """A message this incident caused."""

    rev: int
    sink: str
    transition: Transition
    outcome: Outcome = Outcome.PLANNED
    suppressed: int = 0


class Incident(_Kept):
    """One episode of one incident key, as it stands in `job-alerts`."""

    incident_id: str
    incident_key: str
    dedup_key: str
    episode: int
    environment: str
    job_name: str
    family: str
    state: State
    severity: Severity
    silenced: bool = False
    flapping: bool = False
    causes: tuple[Cause, ...] = ()
    rev: int = 0
    owner: str | None = None
    tags: tuple[str, ...] = ()
    opened_at: UtcTime
    updated_at: UtcTime
    resolved_at: UtcTime | None = None
    acknowledged_by: str | None = None
    occurrences: int = 0
    suppressed: int = 0
    reopen_count: int = 0
    title: str = ""
    links: dict[str, str | None] = {}
    deliveries: tuple[Delivery, ...] = ()
    config_version: str | None = None

    @property
    def open_causes(self) -> tuple[Cause, ...]:
        """Causes nothing has closed."""
        return tuple(cause for cause in self.causes if cause.closed_by is None)


class CausedBy(_Kept):
    """The event that a fact or a message follows from."""

    environment: str
    job_name: str
    job_run_id: str
    attempt: int
    event_id: str
    timestamp: UtcTime


class Said(_Kept):
    """A message as it was stored before it is sent, with what its decision link binds to."""

    message: JsonObject
    run: CausedBy
    artifacts_manifest_sha256: str | None


class Outgoing(_Kept):
    """A delivery with its content, stored before anything is sent."""

    incident_id: str
    delivery: Delivery
    said: Said
    caused_by: CausedBy

    @property
    def key(self) -> str:
        """The effect key."""
        return notification_key(self.incident_id, self.delivery)


class Head(_Kept):
    """Everything decided about one incident key: what is applied, what is known, what is yet to be done."""

    incident_key: str
    ring: tuple[str, ...] = ()
    clears: dict[str, tuple[Clear, ...]] = {}
    decided: tuple[Decided, ...] = ()
    told: tuple[str, ...] = ()
    incident: Incident | None = None
    announced: Said | None = None
    facts: tuple[JsonObject, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()
    changed_at: UtcTime | None = None


def notification_key(incident_id: str, delivery: Delivery) -> str:
    """The effect key of a delivery: one claim, one message."""
    return f"notify|{incident_id}|{delivery.rev}|{delivery.sink}"


def gravest(causes: Iterable[Cause]) -> Severity:
    """The highest severity among causes."""
    return max((cause.severity for cause in causes), key=lambda severity: severity.rank)


def with_clear(known: Sequence[Clear], new: Clear) -> tuple[Clear, ...]:
    """The clears worth keeping: none that another one makes needless.

    The newest alone would not do: a GREEN backfill of last month is newer and still covers less.
    """
    if any(clear.makes_needless(new) for clear in known):
        return tuple(known)
    kept = [clear for clear in known if not new.makes_needless(clear)]
    return tuple(sorted((*kept, new), key=lambda clear: (clear.timestamp, clear.event_id))[-CLEARS_KEPT:])


def without_oldest_closed(causes: tuple[Cause, ...]) -> tuple[Cause, ...]:
    """Open causes are never cut; of the closed ones the last 200 stay."""
    closed = sorted(
        (cause for cause in causes if cause.closed_by is not None),
        key=lambda cause: (cause.timestamp, cause.event_id),
    )
    forgotten = {cause.event_id for cause in closed[:-CLOSED_CAUSES_KEPT]}
    return tuple(cause for cause in causes if cause.closed_by is None or cause.event_id not in forgotten)


def dedup_key(incident_key: str, episode: int) -> str:
    """`<incident_key>/<episode>`, cut to 255 bytes with a hash of the whole when longer."""
    whole = f"{incident_key}/{episode}"
    if len(whole) <= _DEDUP_KEY_BYTES:
        return whole
    return f"{whole[:_DEDUP_KEY_HEAD]}-{hashlib.sha256(whole.encode()).hexdigest()[:32]}"
