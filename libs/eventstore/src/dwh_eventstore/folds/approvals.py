"""`job-approvals`: one document per decision, whatever became of it."""

from typing import Any

from dwh_contracts.canonical import JsonObject
from dwh_contracts.parse import Event
from pydantic import JsonValue

from dwh_eventstore.folds.registers import Key, Target, claim, memory_of

MODEL = "job-approvals"

_OUTCOMES = ("early", "vote", "superfluous", "refused", "conflict", "accepted")
"""From what says least to what says most: of several the last stands."""
_DECISIONS = frozenset({"approval_decision", "approval_expired"})
_DECIDED_BY = {"approval_accepted": "accepted_event_id", "approval_verdict": "decision_event_id"}
_COPIED = ("decision", "decided_by", "decided_by_verified", "principal", "channel", "reason")


def decision_id(event: Event) -> str | None:
    """The decision an event is about, or None."""
    if event.event_type in _DECISIONS:
        return event.event_id
    named = event.body.get(_DECIDED_BY.get(event.event_type, ""))
    return named if isinstance(named, str) else None


def targets(event: Event) -> list[Target]:
    """The document of the decision this event is about."""
    decision = decision_id(event)
    return [] if decision is None else [Target(MODEL, decision, event.attempt)]


def fold(state: JsonObject | None, event: Event, target: Target) -> JsonObject:
    """A decision as told by itself, its acceptance and its verdict."""
    document = dict(state) if state else _blank(event, target)
    if event.event_type in _DECISIONS:
        document |= {name: event.body.get(name) for name in _COPIED}
        document["event_type"] = event.event_type
        document["timestamp"] = event.time
    document["outcome"] = _further(document["outcome"], _told(event))
    document["accepted"] = document["outcome"] == "accepted"
    return document


def with_run(state: JsonObject, run: JsonObject) -> JsonObject:
    """The decision with the quality of its run as it stands in the run's document.

    Commutes with `fold` and with itself: of two states of one run the one that its own fold prefers stays.
    """
    shown = memory_of(run).get("shown")
    if not isinstance(shown, list) or run.get("event_type") != "job_completed":
        return state
    memory = memory_of(state)
    key: Key = shown
    if not claim(memory, "run", key):
        return state
    return state | quality_of(run) | {"fold": memory}


def quality_of(run: JsonObject) -> JsonObject:
    """The fields of a decision that come from its run."""
    quality: Any = run["quality"]
    return {"original_quality_status": quality["status"], "original_checks": quality["checks"]}


def _told(event: Event) -> JsonValue:
    if event.event_type == "approval_verdict":
        return event.body.get("outcome")
    return "early" if event.event_type == "approval_decision" else "accepted"


def _further(known: JsonValue, told: JsonValue) -> JsonValue:
    return max(known, told, key=lambda outcome: _OUTCOMES.index(str(outcome)))


def _blank(event: Event, target: Target) -> JsonObject:
    return {
        "id": target.id,
        "timestamp": None,
        "event_type": None,
        "environment": event.environment,
        "job_name": event.job_name,
        "job_run_id": event.job_run_id,
        "attempt": event.attempt,
        **dict.fromkeys(_COPIED),
        "accepted": False,
        "outcome": "early",
        "original_quality_status": None,
        "original_checks": [],
    }
