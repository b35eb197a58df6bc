"""What follows from the store's answer to an append: whether to fold, and what to say of the message.

Pure. The rules:

| the store says | fold | message |
|---|---|---|
| stored | yes | done |
| duplicate | once more: the first copy's process may have died before its fold | duplicate |
| conflict (same id, other content) | no | quarantined as conflicting-content |
| rejected (the engine cannot hold it) | no | quarantined as unmappable |
| no index for the current month | no | retried |
| busy | no | retried, never parked: nothing is wrong with the message |

What is folded is always the stored copy: of two facts under one id the first stays.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from dwh_contracts.quarantine import QuarantineReason


class Answer(enum.StrEnum):
    """What the store said of one event."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    MISSING_INDEX = "missing_index"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Done:
    """Acknowledge after the fold."""

    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Keep the bytes with the reason, acknowledge."""

    reason: QuarantineReason
    detail: str


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Leave the message in the queue."""

    why: str
    overloaded: bool = False


Verdict = Done | Quarantine | TryAgain


def decide(answer: Answer) -> Verdict:
    """The rule for one event, by the table above."""
    return VERDICTS[answer]


VERDICTS: Mapping[Answer, Verdict] = {
    Answer.STORED: Done(),
    Answer.DUPLICATE: Done(duplicate=True),
    Answer.CONFLICT: Quarantine(QuarantineReason.CONFLICTING_CONTENT, "this id is stored with other content"),
    Answer.REJECTED: Quarantine(QuarantineReason.UNMAPPABLE, "the store cannot hold this event"),
    Answer.MISSING_INDEX: TryAgain("the current month has no index; `dwh bootstrap` makes it"),
    Answer.BUSY: TryAgain("the store is overloaded", overloaded=True),
}
