"""Read models as folds over events: pure, commutative, idempotent (G4).

`targets(event)` names the documents an event belongs to; `fold(state, event, target)` is the next state of
one of them. Any order and any duplication of the same events give the same documents, because every part
of a document is a least or greatest element of what was seen. What decides between events is kept in the
field `fold` of the document, which is not searchable and which readers do not get.
"""

from dwh_contracts.canonical import JsonObject
from dwh_contracts.parse import Event

from dwh_eventstore.folds import alerts, approvals, runs, triggers
from dwh_eventstore.folds.registers import Target

__all__ = ["Target", "fold", "targets"]


def targets(event: Event) -> list[Target]:
    """Every document that this event is folded into."""
    return [
        *runs.targets(event),
        *approvals.targets(event),
        *triggers.targets(event),
        *alerts.targets(event),
    ]


def fold(state: JsonObject | None, event: Event, target: Target) -> JsonObject:
    """The document after this event."""
    match target.model:
        case "job-approvals":
            return approvals.fold(state, event, target)
        case "job-triggers":
            return triggers.fold(state, event, target)
        case "job-alerts":
            return alerts.fold(state, event, target)
        case _:
            return runs.fold(state, event, target)
