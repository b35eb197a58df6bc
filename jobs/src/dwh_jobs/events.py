"""The events of a run: `job_started` before any work, `job_completed` whatever happened.

Ids are deterministic and no field of the context is null, also when the run failed at its first step.
"""

from __future__ import annotations

from datetime import datetime

from dwh_contracts.canonical import JsonObject
from dwh_contracts.events import FailureType, QualityStatus, Status
from dwh_contracts.ids import job_event_id
from dwh_contracts.texts import LONGEST_MESSAGE, LONGEST_STACK_TRACE, cut
from dwh_contracts.times import format_time
from pydantic import JsonValue

from dwh_jobs.context import ExecutionContext
from dwh_jobs.job import Failure, Outcome
from dwh_jobs.metrics import JobMetrics
from dwh_jobs.resources import published

SCHEMA_VERSION = "1.0"
PRODUCER = "dwh_jobs"


def job_started(context: ExecutionContext, now: datetime) -> JsonObject:
    """The body of the event that a run sends first."""
    return {**_envelope("job_started", context, now), "metrics": _context_metrics(context)}


def job_completed(outcome: Outcome, now: datetime) -> JsonObject:
    """The body of the event that a run sends last."""
    status, failure_type = status_of(outcome)
    manifest = outcome.manifest
    return {
        **_envelope("job_completed", outcome.context, now),
        "status": status.value,
        "failure_type": failure_type.value if failure_type else None,
        "artifacts_available": status is not Status.FAILED,
        "artifacts_base_path": outcome.staged.base_path if outcome.staged else None,
        "artifacts": _artifacts(outcome),
        "artifacts_manifest": manifest.as_json() if manifest else None,
        "quality": {
            "status": outcome.quality.status.value,
            "evaluated": outcome.quality.evaluated,
            "checks": [dict(check.as_json()) for check in outcome.quality.checks],
        },
        "metrics": _metrics(outcome, now),
        "error": _error(outcome.failure),
    }


def status_of(outcome: Outcome) -> tuple[Status, FailureType | None]:
    """Status and failure type that follow from how the run ended."""
    if outcome.failure:
        return Status.FAILED, FailureType.CATASTROPHIC
    if outcome.quality.status is QualityStatus.RED:
        return Status.PENDING_APPROVAL, FailureType.QUALITY
    return Status.SUCCESS, None


def _envelope(event_type: str, context: ExecutionContext, now: datetime) -> JsonObject:
    run = (context.environment, context.job_name, context.job_run_id, context.attempt)
    return {
        "schema_version": SCHEMA_VERSION,
        "event_type": event_type,
        "event_id": job_event_id(event_type, *run),
        "environment": context.environment,
        "job_name": context.job_name,
        "job_run_id": context.job_run_id,
        "attempt": context.attempt,
        "timestamp": format_time(now),
        "code_version": context.code_version,
        "producer": PRODUCER,
        "correlation_id": context.correlation_id,
        "causation_id": context.causation_id,
        "platform_run_id": context.platform_run_id,
    }


def _context_metrics(context: ExecutionContext) -> JsonObject:
    return {
        "service_provider": context.service_provider.value,
        "environment": context.environment,
        "region": context.region,
        "created_by": context.created_by,
        "start_date": format_time(context.window.start),
        "end_date": format_time(context.window.end),
    }


def _metrics(outcome: Outcome, now: datetime) -> JsonObject:
    context, metrics = outcome.context, outcome.metrics
    seconds = round((now - metrics.started).total_seconds(), 6)
    return {
        "job_name": context.job_name,
        "job_run_id": context.job_run_id,
        "job_status": "FAILED" if outcome.failure else "SUCCESS",
        "start_time": format_time(metrics.started),
        "end_time": format_time(now),
        "duration_seconds": seconds,
        **_context_metrics(context),
        "source_base_path": outcome.source_base_path,
        "sink_base_path": outcome.sink_base_path,
        **metrics.as_json(),
        **_resources(metrics, seconds),
    }


def _resources(metrics: JobMetrics, seconds: float) -> JsonObject:
    return (
        {"resources": dict(published(metrics.resources, seconds))} if any(metrics.resources.values()) else {}
    )


def _artifacts(outcome: Outcome) -> list[JsonValue]:
    staged = outcome.staged
    if staged is None:
        return []
    return [
        {
            "name": category.name,
            "path": category.path,
            "format": category.format,
            "records": category.records,
            "bytes": category.bytes,
            "window_start": format_time(staged.window.start),
            "window_end": format_time(staged.window.end),
        }
        for category in staged.kept
    ]


def _error(failure: Failure | None) -> JsonObject | None:
    if failure is None:
        return None
    return {
        "type": failure.type,
        "phase": failure.phase,
        "message": cut(failure.message, LONGEST_MESSAGE),
        "stack_trace": cut(failure.stack_trace, LONGEST_STACK_TRACE),
    }
