"""What follows from the store's answer to an append: which event to fold, and what to say of the message.

Pure. The rules:

| the store says | fold | message |
|---|---|---|
| stored | this event | done |
| duplicate | the event again: the first copy's process may have died before its fold | duplicate |
| duplicate of a type whose first copy stays | the stored copy, which may differ from this one | duplicate |
| conflict (same id, other content) | nothing | quarantined as conflicting-content |
| rejected (the engine cannot hold it) | nothing | quarantined as unmappable |
| no index for the current month, or busy | nothing | retried |
"""

import enum
from dataclasses import dataclass

from dwh_contracts.quarantine import QuarantineReason

FIRST_COPY_STAYS = frozenset({"dag_run_created", "dag_run_finished", "trigger_failed"})


class Answer(enum.StrEnum):
    """What the store said of one event."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    MISSING_INDEX = "missing_index"
    BUSY = "busy"


class Fold(enum.Enum):
    """Which copy of the event the read models take."""

    NONE = enum.auto()
    THIS = enum.auto()
    STORED_COPY = enum.auto()


class Fate(enum.Enum):
    """What becomes of the message."""

    DONE = enum.auto()
    DUPLICATE = enum.auto()
    QUARANTINE = enum.auto()
    RETRY = enum.auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows for one event; `reason` belongs to a quarantine."""

    fold: Fold
    fate: Fate
    reason: QuarantineReason | None = None


def decide(event_type: str, answer: Answer) -> Verdict:
    """The rule for one event, by the table above."""
    match answer:
        case Answer.STORED:
            return Verdict(Fold.THIS, Fate.DONE)
        case Answer.DUPLICATE:
            copy = Fold.STORED_COPY if event_type in FIRST_COPY_STAYS else Fold.THIS
            return Verdict(copy, Fate.DUPLICATE)
        case Answer.CONFLICT:
            return Verdict(Fold.NONE, Fate.QUARANTINE, QuarantineReason.CONFLICTING_CONTENT)
        case Answer.REJECTED:
            return Verdict(Fold.NONE, Fate.QUARANTINE, QuarantineReason.UNMAPPABLE)
        case Answer.MISSING_INDEX | Answer.BUSY:
            return Verdict(Fold.NONE, Fate.RETRY)
