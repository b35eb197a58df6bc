"""What follows from the store's answer to an append: whether to fold, and what to say of the message.

Pure. The rules:

| the store says | fold | message |
|---|---|---|
| stored | yes | done |
| duplicate | once more: the first copy's process may have died before its fold | duplicate |
| conflict (same id, other content) | no | quarantined as conflicting-content |
| rejected (the engine cannot hold it) | no | quarantined as unmappable |
| no index for the current month, or busy | no | retried |

What is folded is always the stored copy: of two facts under one id the first stays.
"""

import enum
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


Verdict = Done | Quarantine | TryAgain


def decide(answer: Answer) -> Verdict:
    """The rule for one event, by the table above."""
    if answer is Answer.DUPLICATE:
        copy = Fold.STORED_COPY if event_type in FIRST_COPY_STAYS else Fold.THIS
        return Verdict(copy, Fate.DUPLICATE)
    return _VERDICTS[answer]


_VERDICTS = {
    Answer.STORED: Verdict(Fold.THIS, Fate.DONE),
    Answer.CONFLICT: Verdict(Fold.NONE, Fate.QUARANTINE),
    Answer.MISSING_INDEX: Verdict(Fold.NONE, Fate.RETRY),
}
