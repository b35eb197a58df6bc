"""`job-events` and `job-events-<slug>`: one document per run attempt, with what people decided on it."""

from collections.abc import Mapping
from typing import Any

from dwh_contracts.canonical import JsonObject
from dwh_contracts.ids import job_event_id
from dwh_contracts.parse import Event
from pydantic import JsonValue

from dwh_eventstore import indices
from dwh_eventstore.folds import approvals, line_items
from dwh_eventstore.folds.registers import Target, claim, key_of, memory_of

_RUN_EVENTS = {"job_completed": 0, "job_started": 1}
"""Rank: what is completed is shown, whenever it started."""
_APPROVAL_EVENTS = frozenset(
    {
        *("approval_decision", "approval_requested", "approval_accepted"),
        *("approval_expired", "approval_verdict", "approval_reminder"),
    }
)
_CONTEXT = (
    *("job_name", "job_run_id", "job_status", "start_time", "end_time", "duration_seconds"),
    *("service_provider", "environment", "region", "created_by", "start_date", "end_date"),
    *("source_base_path", "sink_base_path"),
    *("records_read", "records_written", "records_dropped", "bytes_written"),
)
_PHASES = ("extract", "transform", "load")
_PHASE = ("start_time", "end_time", "duration_seconds")
_RESOURCES = (
    *("spark_executor_count", "spark_executor_memory_gb", "spark_driver_memory_gb"),
    "glue_dpu_seconds",
)
_CHECK = ("name", "status", "value", "threshold", "message", "rule_version")
_ARTIFACT = ("name", "path", "format", "records", "bytes", "window_start", "window_end")
_APPROVAL_FIELDS = (
    *("approval_status", "approval_expires_at", "approved_by", "approval_reason", "approval_timestamp"),
)


def run_id(environment: str, job_name: str, job_run_id: str, attempt: int) -> str:
    """Id of a run's document: the computed id of its job_completed event."""
    return job_event_id("job_completed", environment, job_name, job_run_id, attempt)


def is_run_event(event: Event) -> bool:
    """Whether the event is the run's own, not one of its approval."""
    return event.event_type in _RUN_EVENTS


def targets(event: Event) -> list[Target]:
    """The run's own document and, for a run event, those of its earlier attempts."""
    if event.event_type not in _RUN_EVENTS and event.event_type not in _APPROVAL_EVENTS:
        return []
    first = 1 if event.event_type in _RUN_EVENTS else event.attempt
    run = event.environment, event.job_name, event.job_run_id
    named = [(run_id(*run, attempt), attempt) for attempt in range(first, event.attempt + 1)]
    models = indices.JOB_EVENTS, indices.job_read_model(event.job_name)
    return [Target(model, *each) for model in models for each in named]


def fold(state: JsonObject | None, event: Event, target: Target) -> JsonObject:
    """A run as told by its own events, by approvals, and by its later attempts."""
    document = dict(state) if state else _blank(event, target)
    if event.event_type in _RUN_EVENTS:
        if event.attempt != target.attempt:
            document["latest_attempt"] = False
            return document
        memory = memory_of(document)
        shows = claim(memory, "shown", key_of(event, _RUN_EVENTS[event.event_type]))
        if shows:
            document |= shown(event, with_payload=target.model != indices.JOB_EVENTS)
        if target.model == indices.JOB_EVENTS:
            memory["lines"] = line_items.remembered(memory, event.body, shows=shows)
        document["fold"] = memory
    else:
        document |= _decided(document, event)
    document |= _approval_fields(document)
    return document


def shown(event: Event, *, with_payload: bool) -> JsonObject:
    """What a run event says about its run; listed fields only."""
    body = event.body
    metrics = _mapping(body.get("metrics"))
    quality = _mapping(body.get("quality"))
    document: JsonObject = {
        "known": True,
        "timestamp": event.time,
        "event_type": event.event_type,
        "status": body.get("status") if event.event_type == "job_completed" else "RUNNING",
        **{name: body.get(name) for name in ("failure_type", "artifacts_available", "artifacts_base_path")},
        "quality": {
            "status": quality.get("status"),
            "evaluated": quality.get("evaluated"),
            "checks": _listed(quality.get("checks"), _CHECK),
        },
        "artifacts": _listed(body.get("artifacts"), _ARTIFACT),
        "artifacts_manifest": _part(body.get("artifacts_manifest"), ("uri", "bytes", "sha256")),
        "metrics": _metrics(metrics, with_payload=with_payload),
        "error": _part(body.get("error"), ("type", "message", "phase", "stack_trace")),
        "throughput_per_second": _ratio(metrics.get("records_written"), metrics.get("duration_seconds")),
        "success_rate_percent": _ratio(metrics.get("records_written"), metrics.get("records_read"), 100),
    }
    if with_payload:
        document |= {"payload_raw": None, "payload_overflow": False}
    return document


def overflowed(document: JsonObject) -> JsonObject:
    """The same run with its payload kept, but not searchable: the index could not take it."""
    metrics = dict(_mapping(document.get("metrics")))
    payload = metrics.pop("payload", None)
    return document | {"metrics": metrics, "payload_raw": payload, "payload_overflow": True}


def _metrics(metrics: Mapping[str, Any], *, with_payload: bool) -> JsonObject:
    phases = _mapping(metrics.get("phases"))
    copied: JsonObject = {name: metrics.get(name) for name in _CONTEXT}
    copied["drop_reasons"] = _listed(metrics.get("drop_reasons"), ("reason", "count"))
    copied["phases"] = {name: _part(phases.get(name), _PHASE) for name in _PHASES}
    copied["resources"] = _part(metrics.get("resources"), _RESOURCES)
    if with_payload:
        copied["payload"] = metrics.get("payload")
    return copied


def _decided(document: JsonObject, event: Event) -> JsonObject:
    """What an approval event changes: the list of decisions and what the fold remembers."""
    memory = memory_of(document)
    expires_at = event.body.get("expires_at")
    if isinstance(expires_at, str):
        memory["expires_at"] = max(expires_at, str(memory.get("expires_at", "")))
    if event.event_type == "approval_requested":
        memory["requested"] = True
    decision = approvals.decision_id(event)
    if event.event_type in {"approval_accepted", "approval_expired"} and claim(
        memory, "final", key_of(event)
    ):
        memory["decision"] = {
            "status": event.body.get("decision"),
            "by": event.body.get("decided_by"),
            "at": event.time,
            "id": decision,
        }
    return {"fold": memory, "approvals": _with_decision(document, event, decision)}


def _with_decision(document: JsonObject, event: Event, decision: str | None) -> list[JsonValue]:
    known: Any = document["approvals"]
    items: dict[str, JsonObject] = {item["id"]: item for item in known}
    if decision is not None:
        target = Target(approvals.MODEL, decision, event.attempt)
        items[decision] = approvals.fold(items.get(decision), event, target)
    by_time: list[Any] = sorted(
        items.values(), key=lambda item: (str(item["timestamp"] or "~"), str(item["id"]))
    )
    return by_time


def _approval_fields(document: JsonObject) -> JsonObject:
    """The approval fields, derived anew from what is known."""
    memory = memory_of(document)
    final = _mapping(memory.get("decision"))
    listed: Any = document["approvals"]
    quality = approvals.quality_of(document) if document["event_type"] == "job_completed" else {}
    items: list[JsonValue] = [item | quality for item in listed]
    reasons = {item["id"]: item["reason"] for item in listed}
    return {
        "approval_status": final.get("status") or ("PENDING" if memory.get("requested") else None),
        "approval_expires_at": memory.get("expires_at"),
        "approved_by": final.get("by"),
        "approval_reason": reasons.get(final.get("id")),
        "approval_timestamp": final.get("at"),
        "approval_conflict": any(item["outcome"] == "conflict" for item in listed),
        "approvals": items,
    }


def _blank(event: Event, target: Target) -> JsonObject:
    """A run of which nothing is known but its name."""
    return {
        "id": target.id,
        "timestamp": None,
        "event_type": None,
        "environment": event.environment,
        "job_name": event.job_name,
        "job_run_id": event.job_run_id,
        "attempt": target.attempt,
        "latest_attempt": True,
        "known": False,
        "status": None,
        **dict.fromkeys(("failure_type", "artifacts_available", "artifacts_base_path")),
        "quality": {"status": None, "evaluated": None, "checks": []},
        "artifacts": [],
        "artifacts_manifest": None,
        "metrics": None,
        "error": None,
        **dict.fromkeys(("throughput_per_second", "success_rate_percent")),
        **dict.fromkeys(_APPROVAL_FIELDS),
        "approval_conflict": False,
        "approvals": [],
    }


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _part(value: object, names: tuple[str, ...]) -> JsonValue:
    return {name: value.get(name) for name in names} if isinstance(value, dict) else None


def _listed(value: object, names: tuple[str, ...]) -> list[JsonValue]:
    return [_part(member, names) for member in value] if isinstance(value, list) else []


def _ratio(part: object, whole: object, scale: float = 1) -> float | None:
    """`scale` times part by whole, or None when it is not known."""
    if not isinstance(part, int | float) or not isinstance(whole, int | float) or whole <= 0:
        return None
    return scale * part / whole
