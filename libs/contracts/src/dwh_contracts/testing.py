"""Builders of valid bodies for tests; shipped, so that every package arranges in the same words.

Everything not said is plausible and consistent: a status brings its failure type, quality, artifacts and
error with it. `event_id` is computed unless given.
"""

from typing import Any

from dwh_contracts.canonical import JsonObject
from dwh_contracts.event_ids import expected_event_id

JOB_NAME, JOB_RUN_ID = "transform_images", "run-1"
TIMESTAMP = "2026-11-23T08:01:48.250000Z"
MANIFEST_SHA256 = "1f001d4af1eeb8681f70d9284339fcb844ce45f62a115f454c21e578e4987a40"
_DROPPED = {"GREEN": 1_200, "YELLOW": 7_200, "RED": 13_800}
_READ, _YELLOW, _RED = 120_000, 0.05, 0.10
_ERROR: JsonObject = {
    "type": "SourceUnavailableError",
    "phase": "extract",
    "message": "no partition",
    "stack_trace": "…",
}


def an_envelope(event_type: str, **over: Any) -> JsonObject:
    """The fields every event has."""
    return {
        "schema_version": "1.0",
        "event_type": event_type,
        "environment": "dev",
        "job_name": JOB_NAME,
        "job_run_id": JOB_RUN_ID,
        "attempt": 1,
        "timestamp": TIMESTAMP,
        **over,
    }


def a_job_event(
    *, status: str | None = None, quality_status: str | None = None, evaluated: bool = True, **over: Any
) -> JsonObject:
    """A complete `job_completed` body.

    Args:
        status: follows from `quality_status` when not given, and the reverse.
        quality_status: GREEN, YELLOW or RED, out of counts that give it.
        evaluated: false for a run without checks.
        over: fields that replace built ones, as a whole.
    """
    if quality_status is None:
        quality_status = "RED" if status == "PENDING_APPROVAL" else "GREEN"
    if status is None:
        status = "PENDING_APPROVAL" if quality_status == "RED" else "SUCCESS"
    failed = status == "FAILED"
    body = an_envelope("job_completed")
    run_id = str(over.get("job_run_id", JOB_RUN_ID))
    base = f"s3://dwh-dev-data/images/runs/{run_id}/a{over.get('attempt', 1)}"
    manifest: JsonObject = {"uri": f"{base}/_manifest.json", "bytes": 2_318, "sha256": MANIFEST_SHA256}
    body |= {
        "status": status,
        "failure_type": {"FAILED": "CATASTROPHIC", "PENDING_APPROVAL": "QUALITY"}.get(status),
        "artifacts_available": not failed,
        "artifacts_base_path": None if failed else base,
        "artifacts": [] if failed else [_artifact(base, _READ - _DROPPED[quality_status])],
        "artifacts_manifest": None if failed else manifest,
        "quality": _quality(quality_status, evaluated=evaluated and not failed),
        "metrics": _metrics(str(over.get("job_name", JOB_NAME)), run_id, quality_status, failed=failed),
        "error": _ERROR if failed else None,
    }
    return _identified(body | over)


def a_job_started(**over: Any) -> JsonObject:
    """A complete `job_started` body."""
    context = {
        "service_provider": "GLUE",
        "environment": "dev",
        "region": "us-east-1",
        "created_by": "airflow",
        "start_date": "2026-11-23T07:00:00.000000Z",
        "end_date": "2026-11-23T07:15:00.000000Z",
    }
    return _identified(an_envelope("job_started", metrics=context) | over)


def an_approval_decision(**over: Any) -> JsonObject:
    """A complete `approval_decision` body; APPROVED unless said."""
    run = {name: over[name] for name in ("environment", "job_name", "job_run_id", "attempt") if name in over}
    body = an_envelope("approval_decision", timestamp="2026-11-23T09:15:00.000000Z")
    body |= {
        "decision": "APPROVED",
        "decided_by": "approver@example.com",
        "decided_by_verified": True,
        "principal": "local:approver@example.com",
        "channel": "cli",
        "reason": "the dropped rows are replayed tonight",
        "source_event_id": a_job_event(quality_status="RED", **run)["event_id"],
        "artifacts_manifest_sha256": MANIFEST_SHA256,
    }
    return _identified(body | over)


def _identified(body: JsonObject) -> JsonObject:
    return body if "event_id" in body else {**body, "event_id": expected_event_id(body)}


def _artifact(base: str, records: int) -> JsonObject:
    return {
        "name": "nautilus",
        "path": f"{base}/category=nautilus",
        "format": "jsonl",
        "records": records,
        "bytes": records * 540,
        "window_start": "2026-11-23T07:00:00.000000Z",
        "window_end": "2026-11-23T07:15:00.000000Z",
    }


def _quality(status: str, *, evaluated: bool) -> JsonObject:
    if not evaluated:
        return {"status": "GREEN", "evaluated": False, "checks": []}
    check: JsonObject = {
        "name": "drop_rate",
        "status": status,
        "value": round(_DROPPED[status] / _READ, 4),
        "threshold": _RED if status == "RED" else _YELLOW,
        "message": f"{_DROPPED[status]} of {_READ} dropped",
        "rule_version": "1",
    }
    return {"status": status, "evaluated": True, "checks": [check]}


def _metrics(job_name: str, run_id: str, quality_status: str, *, failed: bool) -> JsonObject:
    dropped = 0 if failed else _DROPPED[quality_status]
    read = 0 if failed else _READ
    reasons: list[Any] = [{"reason": "transform_decryption_failure", "count": dropped}]
    return {
        "job_name": job_name,
        "job_run_id": run_id,
        "job_status": "FAILED" if failed else "SUCCESS",
        "start_time": "2026-11-23T08:00:12.000000Z",
        "end_time": "2026-11-23T08:01:47.600000Z",
        "duration_seconds": 95.6,
        "service_provider": "GLUE",
        "environment": "dev",
        "region": "us-east-1",
        "created_by": "airflow",
        "start_date": "2026-11-23T07:00:00.000000Z",
        "end_date": "2026-11-23T07:15:00.000000Z",
        "source_base_path": "s3://dwh-dev-data/images/source",
        "sink_base_path": "s3://dwh-dev-data/images",
        "records_read": read,
        "records_written": read - dropped,
        "records_dropped": dropped,
        "bytes_written": (read - dropped) * 540,
        "phases": {},
        "drop_reasons": reasons if dropped else [],
        "payload": {},
    }
