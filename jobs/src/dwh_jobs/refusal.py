"""The outcome of a run that was refused before it could begin."""

from __future__ import annotations

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock

from dwh_jobs.context import ExecutionContext
from dwh_jobs.job import Failure, Outcome
from dwh_jobs.metrics import JobMetrics
from dwh_jobs.quality import QualityResult
from dwh_jobs.redact import redacted_text
from dwh_jobs.uris import as_uri

UNKNOWN = "unknown"


def refused(error: Exception, raw: JsonObject, context: ExecutionContext, clock: Clock) -> Outcome:
    """A failed outcome with what can be read of the configuration; no field of the context is null."""
    return Outcome(
        context=context,
        metrics=JobMetrics(clock),
        source_base_path=_path(raw, "extractor_config"),
        sink_base_path=_path(raw, "loader_config"),
        quality=QualityResult(),
        staged=None,
        manifest=None,
        failure=Failure(type(error).__name__, None, redacted_text(str(error)), ""),
    )


def _path(raw: JsonObject, part: str) -> str:
    section = raw.get(part)
    path = section.get("path") if isinstance(section, dict) else None
    return as_uri(path) if isinstance(path, str) and path else UNKNOWN
