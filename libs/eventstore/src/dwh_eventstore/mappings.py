"""Mappings and settings of every index, as data."""

from dwh_contracts.canonical import JsonObject
from pydantic import JsonValue

KEYWORD: JsonObject = {"type": "keyword"}
DATE: JsonObject = {"type": "date"}
LONG: JsonObject = {"type": "long"}
DOUBLE: JsonObject = {"type": "double"}
BOOLEAN: JsonObject = {"type": "boolean"}
NAME: JsonObject = {"type": "keyword", "ignore_above": 8000}
"""Values of others in a read model: too long or malformed, they are shown, not found, and block nothing."""
MOMENT: JsonObject = {"type": "date", "ignore_malformed": True}
COUNT: JsonObject = {"type": "long", "ignore_malformed": True}
TEXT_ONLY_SHOWN: JsonObject = {"type": "keyword", "index": False, "doc_values": False}
OPAQUE: JsonObject = {"type": "object", "enabled": False}

FOLD_VERSION = 2
"""Raised when a fold changes what it writes; a writer works only on indices of its own version."""


def _fields(kind: JsonObject, *names: str) -> JsonObject:
    return dict.fromkeys(names, kind)


def _object(properties: JsonObject) -> JsonObject:
    return {"properties": properties}


_ENVELOPE: JsonObject = {
    **_fields(
        KEYWORD,
        *("event_id", "event_type", "environment", "job_name", "job_run_id", "stream", "schema_version"),
        *("content_hash", "correlation_id", "causation_id", "recorder", "topic"),
        *("sns_message_id", "sqs_message_id"),
    ),
    **_fields(DATE, "timestamp", "recorded_at"),
    "attempt": {"type": "integer"},
    "body": OPAQUE,
}
_EFFECT: JsonObject = {
    **_fields(
        KEYWORD,
        *("service", "effect", "outcome", "sink", "queue", "type", "target", "trigger_id", "incident_id"),
        *("input_event_id", "reason"),
    ),
    **_fields(DOUBLE, "lag_seconds"),
    **_fields(LONG, "depth", "rev"),
}
_DOCUMENT: JsonObject = {
    **_fields(
        KEYWORD,
        *("kind", "state", "owner", "environment", "job_name", "job_run_id", "name", "outcome"),
        *("incident_id", "incident_key", "source_event_id", "event_id"),
    ),
    **_fields(DATE, "created_at", "until", "due_at", "deadline", "opened_at", "expires_at", "done_at"),
    **_fields({"type": "integer"}, "attempt"),
}
_QUARANTINE: JsonObject = {
    **_fields(KEYWORD, "quarantine_id", "service", "topic", "reason", "state"),
    **_fields(DATE, "timestamp"),
    **_fields(TEXT_ONLY_SHOWN, "path"),
    "attributes": OPAQUE,
}
_PHASE = _object({**_fields(MOMENT, "start_time", "end_time"), "duration_seconds": DOUBLE})
_RUN_KEYS: JsonObject = {
    **_fields(NAME, "id", "environment", "job_name", "job_run_id"),
    "timestamp": MOMENT,
    "attempt": {"type": "integer"},
    "fold": OPAQUE,
}
_CHECKS = _object(
    {
        **_fields(NAME, "name", "status", "rule_version"),
        **_fields(DOUBLE, "value", "threshold"),
        "message": TEXT_ONLY_SHOWN,
    }
)
_METRICS: JsonObject = {
    **_fields(
        NAME,
        *("job_name", "job_run_id", "job_status", "service_provider", "environment", "region", "created_by"),
        *("source_base_path", "sink_base_path"),
    ),
    **_fields(MOMENT, "start_time", "end_time", "start_date", "end_date"),
    "duration_seconds": DOUBLE,
    **_fields(COUNT, "records_read", "records_written", "records_dropped", "bytes_written"),
    "phases": _object({"extract": _PHASE, "transform": _PHASE, "load": _PHASE}),
    "drop_reasons": _object({"reason": NAME, "count": COUNT}),
    "resources": _object(
        _fields(
            DOUBLE,
            *("spark_executor_count", "spark_executor_memory_gb", "spark_driver_memory_gb"),
            "glue_dpu_seconds",
        )
    ),
}
_APPROVAL: JsonObject = {
    **_RUN_KEYS,
    **_fields(NAME, "event_type", "decision", "decided_by", "principal", "channel", "outcome"),
    **_fields(BOOLEAN, "decided_by_verified", "accepted"),
    "reason": {"type": "text"},
    "original_quality_status": NAME,
    "original_checks": _CHECKS,
}
_RUN: JsonObject = {
    **_RUN_KEYS,
    **_fields(NAME, "event_type", "status", "failure_type", "artifacts_base_path"),
    **_fields(BOOLEAN, "latest_attempt", "known", "artifacts_available", "approval_conflict"),
    "quality": _object({"status": NAME, "evaluated": BOOLEAN, "checks": _CHECKS}),
    "artifacts": _object(
        {
            **_fields(NAME, "name", "path", "format"),
            **_fields(COUNT, "records", "bytes"),
            **_fields(MOMENT, "window_start", "window_end"),
        }
    ),
    "artifacts_manifest": _object({**_fields(NAME, "uri", "sha256"), "bytes": COUNT}),
    "metrics": _object(_METRICS),
    "error": _object(
        {**_fields(NAME, "type", "phase"), "message": {"type": "text"}, "stack_trace": {"type": "text"}}
    ),
    **_fields(DOUBLE, "throughput_per_second", "success_rate_percent"),
    **_fields(NAME, "approval_status", "approved_by"),
    "approval_reason": {"type": "text"},
    **_fields(MOMENT, "approval_timestamp", "approval_expires_at"),
    "approvals": _object({name: kind for name, kind in _APPROVAL.items() if name != "fold"}),
}
_LINE_ITEM: JsonObject = {
    **_RUN_KEYS,
    **_fields(NAME, "kind", "name", "status"),
    **_fields(DOUBLE, "value", "threshold"),
    **_fields(COUNT, "count", "records", "dropped", "bytes", "file_count"),
    "latest_attempt": BOOLEAN,
}
_PAYLOAD: JsonObject = {
    "dynamic": True,
    "type": "object",
}
_PAYLOAD_TEMPLATES: list[JsonValue] = [
    {
        "payload_integers": {
            "path_match": "metrics.payload.*",
            "match_mapping_type": "long",
            "mapping": DOUBLE,
        }
    },
    {
        "payload_numbers": {
            "path_match": "metrics.payload.*",
            "match_mapping_type": "double",
            "mapping": DOUBLE,
        }
    },
    {
        "payload_texts": {
            "path_match": "metrics.payload.*",
            "match_mapping_type": "string",
            "mapping": {"type": "keyword", "ignore_above": 512},
        }
    },
]
_TRIGGER: JsonObject = {
    **_RUN_KEYS,
    **_fields(
        NAME,
        *("trigger_set", "rule_id", "type", "target", "outcome", "config_version", "dag_run_id"),
        "dag_run_state",
    ),
    "conf": OPAQUE,
    "error": TEXT_ONLY_SHOWN,
}
_ALERT: JsonObject = {
    **_fields(
        NAME,
        *("id", "environment", "job_name", "incident_key", "incident_id", "dedup_key", "family", "state"),
        *("severity", "owner", "tags", "acknowledged_by", "config_version", "transition"),
    ),
    **_fields(MOMENT, "timestamp", "opened_at", "updated_at", "resolved_at"),
    **_fields(COUNT, "episode", "rev", "occurrences", "suppressed", "reopen_count"),
    **_fields(BOOLEAN, "silenced", "flapping"),
    "title": {"type": "text"},
    "links": OPAQUE,
    "deliveries": OPAQUE,
    "causes": {
        "dynamic": False,
        "properties": {
            **_fields(NAME, "alert_id", "rule", "severity", "job_run_id", "event_id"),
            **_fields(MOMENT, "timestamp", "window_start", "window_end"),
            "attempt": {"type": "integer"},
            "needs_decision": BOOLEAN,
            "closed_by": OPAQUE,
        },
    },
    "fold": OPAQUE,
}

SEARCHABLE_EVENT_FIELDS = frozenset(_ENVELOPE) - {"body"} | frozenset(_EFFECT)
SEARCHABLE_DOCUMENT_FIELDS = frozenset(_DOCUMENT)


def events(family: str) -> JsonObject:
    """Mapping of a partition: nothing dynamic, so no event can clash with it."""
    properties = _ENVELOPE | _EFFECT if family in {"effect", "late"} else _ENVELOPE
    return {"dynamic": False, "properties": properties}


def documents() -> JsonObject:
    """Mapping of `effects-v1` and `decisions-v1`."""
    return {"dynamic": False, "properties": _DOCUMENT}


def quarantine() -> JsonObject:
    """Mapping of `events-quarantine-v1`."""
    return {"dynamic": False, "properties": _QUARANTINE}


_READ_MODELS: dict[str, JsonObject] = {
    "job-events": _RUN,
    "job-approvals": _APPROVAL,
    "job-line-items": _LINE_ITEM,
    "job-triggers": _TRIGGER,
    "job-alerts": _ALERT,
}


def read_model(name: str) -> JsonObject:
    """Mapping of a read model; every `job-events-<slug>` is `job-events` plus the job's payload."""
    meta: JsonObject = {"fold_version": FOLD_VERSION}
    if name in _READ_MODELS:
        return {"dynamic": "strict", "_meta": meta, "properties": _READ_MODELS[name]}
    metrics = _object({**_METRICS, "payload": _PAYLOAD})
    own: JsonObject = {"metrics": metrics, "payload_raw": OPAQUE, "payload_overflow": BOOLEAN}
    return {
        "dynamic": "strict",
        "date_detection": False,  # a text that looks like a time in one run must not refuse the next
        "_meta": meta,
        "dynamic_templates": _PAYLOAD_TEMPLATES,
        "properties": _RUN | own,
    }


def fold_version(mapping: JsonValue) -> JsonValue:
    """The version of the folds that write an index of this mapping."""
    meta = mapping.get("_meta") if isinstance(mapping, dict) else None
    return meta.get("fold_version") if isinstance(meta, dict) else None


def searchable(model: str, path: str) -> bool:
    """Whether a read model can be searched by a field; text is shown, not matched."""
    if path.startswith("metrics.payload.") and model not in _READ_MODELS:
        return True
    field: JsonValue = read_model(model)
    for name in path.split("."):
        properties = field.get("properties") if isinstance(field, dict) else None
        field = properties.get(name) if isinstance(properties, dict) else None
    return isinstance(field, dict) and field.get("type") in _EXACT and field.get("index") is not False


_EXACT = frozenset({"keyword", "date", "long", "integer", "double", "boolean"})
