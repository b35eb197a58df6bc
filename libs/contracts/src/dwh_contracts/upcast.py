"""Bring events of every known version to the current form (contracts.md 12).

Pure and total: what cannot be understood is passed on unchanged, for the models to refuse.
"""

from pydantic import JsonValue

from dwh_contracts.canonical import JsonObject
from dwh_contracts.events import SCHEMA_VERSION
from dwh_contracts.times import format_time, parse_time

_TIMES = ("start_time", "end_time", "start_date", "end_date")


def upcast(raw: JsonObject, *, environment: str) -> JsonObject:
    """The event in the current form; `environment` is the receiver's, used when the event names none."""
    if "schema_version" in raw:
        return raw
    body = {**raw, "schema_version": SCHEMA_VERSION}
    body.setdefault("attempt", 1)
    body.setdefault("environment", _own_environment(raw) or environment)
    if "timestamp" in body:
        body["timestamp"] = _utc(body["timestamp"])
    if str(body.get("event_type")).startswith("approval_"):
        return _approval(body)
    return _job(body)


def _own_environment(raw: JsonObject) -> str | None:
    metrics = raw.get("metrics")
    found = metrics.get("environment") if isinstance(metrics, dict) else None
    return found if isinstance(found, str) and found else None


def _approval(body: JsonObject) -> JsonObject:
    return {"channel": "topic", "decided_by_verified": False, **body}


def _job(body: JsonObject) -> JsonObject:
    artifacts, quality = body.get("artifacts"), body.get("quality")
    metrics, error = body.get("metrics"), body.get("error")
    if isinstance(artifacts, dict):
        body["artifacts"] = [_artifact(name, artifacts[name]) for name in sorted(artifacts)]
    if isinstance(quality, dict) and isinstance(quality.get("checks"), list):
        body["quality"] = {"evaluated": bool(quality["checks"]), **quality}
    if isinstance(metrics, dict):
        body["metrics"] = _metrics(metrics)
    if isinstance(error, dict):
        body["error"] = {"phase": None, **error}
    return body


def _artifact(name: str, value: JsonValue) -> JsonValue:
    return {"name": name, **value} if isinstance(value, dict) else value


def _metrics(metrics: JsonObject) -> JsonObject:
    changed: JsonObject = {name: _utc(metrics[name]) for name in _TIMES if name in metrics}
    phases = metrics.get("phases")
    if isinstance(phases, dict):
        changed["phases"] = {name: _phase(phase) for name, phase in phases.items()}
    return {**metrics, **changed}


def _phase(phase: JsonValue) -> JsonValue:
    if not isinstance(phase, dict):
        return phase
    return {**phase, **{name: _utc(phase[name]) for name in _TIMES if name in phase}}


def _utc(value: JsonValue) -> JsonValue:
    if not isinstance(value, str):
        return value
    try:
        return format_time(parse_time(value))
    except ValueError:
        return value
