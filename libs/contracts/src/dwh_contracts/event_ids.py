"""The id an event ought to have, computed from its body (contracts.md 2)."""

from collections.abc import Callable

from dwh_contracts.canonical import JsonObject
from dwh_contracts.ids import digest

_RUN = ("event_type", "environment", "job_name", "job_run_id", "attempt")


def _fields(*names: str) -> Callable[[JsonObject], list[str]]:
    return lambda body: [_text(body.get(name)) for name in names]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _with_inner(outer: str, inner: str) -> Callable[[JsonObject], list[str]]:
    def parts(body: JsonObject) -> list[str]:
        holder = body.get(outer)
        return [*_fields(*_RUN)(body), _text(holder.get(inner)) if isinstance(holder, dict) else ""]

    return parts


def _effect_step(body: JsonObject) -> list[str]:
    event_type = _text(body.get("event_type"))
    return [event_type, *_fields("environment", "effect_key")(body), event_type.rpartition("_")[2]]


def _trigger_failed(body: JsonObject) -> list[str]:
    if "service" in body:
        return _effect_step({"effect_key": f"trigger|{body.get('trigger_id')}", **body})
    return _fields("event_type", "environment", "trigger_id")(body)


def _trigger_step(body: JsonObject) -> list[str]:
    return _effect_step({"effect_key": f"trigger|{body.get('trigger_id')}", **body})


def _notification_step(body: JsonObject) -> list[str]:
    key = f"notify|{body.get('incident_id')}|{body.get('rev')}|{body.get('sink')}"
    return _effect_step({"effect_key": key, **body})


_publication = _with_inner("artifacts_manifest", "sha256")
_system = _fields("event_type", "environment", "service", "subject", "version")
_PARTS: dict[str, Callable[[JsonObject], list[str]]] = {
    "openlineage": _with_inner("openlineage", "eventType"),
    "dag_run_created": _fields("event_type", "environment", "dag_id", "dag_run_id"),
    "dag_run_finished": _fields("event_type", "environment", "dag_id", "dag_run_id", "end_date"),
    "run_published": _publication,
    "run_discarded": _publication,
    "publish_refused": _publication,
    "approval_decision": _fields(*_RUN, "decision", "decided_by"),
    "approval_reminder": _fields(*_RUN, "stage"),
    "approval_verdict": _fields("event_type", "environment", "decision_event_id"),
    "decision_recorded": _fields("event_type", "environment", "service", "input_event_id"),
    "incident_transition": _fields("event_type", "environment", "incident_id", "rev"),
    "trigger_failed": _trigger_failed,
    "trigger_requested": _trigger_step,
    "trigger_sent": _trigger_step,
    "trigger_skipped": _trigger_step,
    "notification_sent": _notification_step,
    "notification_failed": _notification_step,
    "notification_skipped": _notification_step,
}
_RUN_EVENTS = frozenset(
    {"job_started", "job_completed", "approval_requested", "approval_accepted", "approval_expired"}
)


def expected_event_id(body: JsonObject) -> str:
    """The id of the event in `body`, whatever `event_id` it brings.

    Raises:
        ValueError: a field that goes into the id contains U+001F.
    """
    event_type = _text(body.get("event_type"))
    default = _fields(*_RUN) if event_type in _RUN_EVENTS else _system
    return digest(*_PARTS.get(event_type, default)(body))
