"""Which combinations of status, failure type, quality and artifacts exist (contracts.md 4)."""

from dwh_contracts.events import FailureType, JobCompleted, QualityStatus, Status
from dwh_contracts.quality import worst

_FAILURE_TYPE = {
    Status.SUCCESS: None,
    Status.PENDING_APPROVAL: FailureType.QUALITY,
    Status.FAILED: FailureType.CATASTROPHIC,
}


def inconsistency(event: JobCompleted) -> str | None:
    """The path of the first field that contradicts `status`; None when the event is in the table."""
    failed = event.status is Status.FAILED
    if event.failure_type is not _FAILURE_TYPE[event.status]:
        return "failure_type"
    if event.artifacts_available is failed:
        return "artifacts_available"
    if (event.error is not None) is not failed:
        return "error"
    return None if failed else _quality_inconsistency(event)


def _quality_inconsistency(event: JobCompleted) -> str | None:
    quality = event.quality
    if (quality.status is QualityStatus.RED) is not (event.status is Status.PENDING_APPROVAL):
        return "quality.status"
    if not quality.evaluated and (quality.checks or quality.status is not QualityStatus.GREEN):
        return "quality.evaluated"
    if quality.checks and quality.status is not worst(check.status for check in quality.checks):
        return "quality.status"
    return None
