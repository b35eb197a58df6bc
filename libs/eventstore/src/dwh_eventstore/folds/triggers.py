"""`job-triggers`: one document per trigger, from the request to the end of the DAG run it started."""

from dwh_contracts.canonical import JsonObject, canonical_json
from dwh_contracts.parse import Event
from pydantic import JsonValue

from dwh_eventstore.folds.registers import Target, claim, key_of, memory_of

MODEL = "job-triggers"

_STEPS = {
    # what is known least well comes last: (rank as a description, rank as an outcome, outcome)
    "trigger_requested": (0, 5, "requested"),
    "trigger_sent": (1, 2, "sent"),
    "trigger_skipped": (2, 4, "skipped"),
    "trigger_failed": (2, 3, "failed"),
    "dag_run_created": (4, 0, "sent"),
    "dag_run_finished": (4, 0, "sent"),
}
_REFUSED_BY_DISPATCHER = (3, 1, "failed")
"""The dispatcher's `trigger_failed` follows a successful send; only a DAG run says otherwise."""
_DESCRIPTION = (
    *("environment", "job_name", "job_run_id", "attempt"),
    *("trigger_set", "rule_id", "type", "target", "conf", "config_version"),
)


def targets(event: Event) -> list[Target]:
    """The trigger this event is about."""
    trigger = event.body.get("trigger_id")
    if event.event_type not in _STEPS or not isinstance(trigger, str):
        return []
    return [Target(MODEL, trigger, event.attempt)]


def fold(state: JsonObject | None, event: Event, target: Target) -> JsonObject:
    """A trigger as told by the orchestrator, the dispatcher and the DAG."""
    document = dict(state) if state else _blank(target)
    memory = memory_of(document)
    describes, decides, outcome = _step(event)
    if claim(memory, "described", key_of(event, describes)):
        document |= _description(event)
    if claim(memory, "outcome", key_of(event, decides)):
        document["outcome"] = outcome
        document["error"] = _error(event) if outcome in {"failed", "skipped"} else None
    if event.event_type in {"dag_run_created", "dag_run_finished"}:
        document |= _dag_run(document, event, memory)
    timestamp = event.time
    document["timestamp"] = min(timestamp, str(document["timestamp"] or timestamp))
    return document | {"fold": memory}


def _step(event: Event) -> tuple[int, int, str]:
    if event.event_type == "trigger_failed" and _from_dispatcher(event):
        return _REFUSED_BY_DISPATCHER
    return _STEPS[event.event_type]


def _from_dispatcher(event: Event) -> bool:
    """Both the orchestrator and the dispatcher say `trigger_failed`, each in its own family."""
    return event.family == "job"


def _dag_run(document: JsonObject, event: Event, memory: JsonObject) -> JsonObject:
    """State of the DAG run; a cleared run finishes again, so the last end counts."""
    run = event.body.get("dag_run_id")
    known = [str(each) for each in (run, document["dag_run_id"]) if each is not None]
    changed: JsonObject = {"dag_run_id": min(known, default=None)}
    if event.event_type == "dag_run_finished":
        ended = [event.time, event.event_id]
        if ended >= _list(memory.get("ended")):
            memory["ended"] = list(ended)
            changed["dag_run_state"] = event.body.get("state")
    elif document["dag_run_state"] is None:
        changed["dag_run_state"] = "created"
    return changed


def _list(value: JsonValue) -> list[str]:
    return [str(member) for member in value] if isinstance(value, list) else []


def _error(event: Event) -> JsonValue:
    error = event.body.get("error") or event.body.get("reason") or event.body.get("outcome")
    return error if error is None or isinstance(error, str) else canonical_json(error).decode()


def _description(event: Event) -> JsonObject:
    description: JsonObject = {name: event.body.get(name) for name in _DESCRIPTION}
    description["target"] = description["target"] or event.body.get("dag_id")
    return description


def _blank(target: Target) -> JsonObject:
    return {
        "id": target.id,
        "timestamp": None,
        **dict.fromkeys(_DESCRIPTION),
        "outcome": None,
        "error": None,
        "dag_run_id": None,
        "dag_run_state": None,
    }
