"""`job-alerts`: one document per incident, its newest revision with what became of its messages."""

from typing import Any

from dwh_contracts.canonical import JsonObject
from dwh_contracts.parse import Event

from dwh_eventstore.folds.registers import Target, claim, key_of, memory_of

MODEL = "job-alerts"

_DELIVERED = {
    "notification_sent": (0, "sent"),
    "notification_skipped": (1, "skipped"),
    "notification_failed": (2, "failed"),
}
"""Rank and outcome: a message that was sent after it had failed was sent."""
_COPIED = (
    *("incident_id", "incident_key", "dedup_key", "episode", "environment", "job_name", "family"),
    *("state", "severity", "silenced", "flapping", "causes", "rev", "owner", "tags"),
    *("opened_at", "updated_at", "resolved_at", "acknowledged_by", "occurrences", "suppressed"),
    *("reopen_count", "title", "links", "config_version"),
)
_CAUSE = (
    *("alert_id", "rule", "severity", "job_run_id", "attempt", "event_id", "timestamp"),
    *("window_start", "window_end", "needs_decision", "closed_by"),
)


def targets(event: Event) -> list[Target]:
    """The incident this fact is about."""
    if event.event_type != "incident_transition" and event.event_type not in _DELIVERED:
        return []
    return [Target(MODEL, str(event.body["incident_id"]))]


def fold(state: JsonObject | None, event: Event, target: Target) -> JsonObject:
    """An incident at its highest rev, with the outcome of each delivery."""
    document = dict(state) if state else _blank(target)
    memory: Any = memory_of(document)
    if event.event_type == "incident_transition":
        incident: Any = event.body["incident"]
        if claim(memory, "shown", key_of(event, -_rev(event))):
            causes: Any = incident.get("causes") or []
            document |= {name: incident.get(name) for name in _COPIED}
            document["causes"] = [_cause(cause) for cause in causes]
            document["transition"] = event.body.get("transition")
            document["timestamp"] = incident.get("updated_at") or event.time
            memory["planned"] = list(incident.get("deliveries") or [])
    else:
        memory["delivered"] = _with_delivery(memory.get("delivered", {}), event)
    document["deliveries"] = _deliveries(memory)
    return document | {"fold": memory}


def _rev(event: Event) -> int:
    rev = event.body.get("rev")
    return rev if isinstance(rev, int) else 0


def _cause(cause: dict[str, Any]) -> JsonObject:
    return {name: cause.get(name) for name in _CAUSE}


def _with_delivery(delivered: dict[str, Any], event: Event) -> dict[str, Any]:
    """Deliveries by rev and sink; of two facts on one the lower rank stands."""
    name = f"{_rev(event):09d}|{event.body.get('sink')}"
    rank, outcome = _DELIVERED[event.event_type]
    told: dict[str, Any] = {
        "rev": _rev(event),
        "sink": event.body.get("sink"),
        "outcome": outcome,
        "timestamp": event.time,
        "error": event.body.get("error"),
        "key": key_of(event, rank),
    }
    known = delivered.get(name)
    if known is not None and known["key"] <= told["key"]:
        return delivered
    return {**delivered, name: told}


def _deliveries(memory: Any) -> list[Any]:
    """Planned deliveries of the shown revision, overlaid by what is known to have become of them."""
    planned = {f"{each.get('rev', 0):09d}|{each.get('sink')}": each for each in memory.get("planned", [])}
    known = {
        name: {field: value for field, value in told.items() if field != "key"}
        for name, told in memory.get("delivered", {}).items()
    }
    return [{**planned.get(name, {}), **known.get(name, {})} for name in sorted({*planned, *known})]


def _blank(target: Target) -> JsonObject:
    return {
        "id": target.id,
        "timestamp": None,
        **dict.fromkeys(_COPIED),
        "incident_id": target.id,
        "causes": [],
        "transition": None,
        "deliveries": [],
    }
