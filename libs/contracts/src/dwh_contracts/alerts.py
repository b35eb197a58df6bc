"""The alert message (alerts.md 8): one JSON document, every rendering a pure function of it."""

from typing import Annotated, Literal

from pydantic import Field

from dwh_contracts.events import FailureType, QualityStatus, Status
from dwh_contracts.model import ContractModel, Count, Lax, Number
from dwh_contracts.times import UtcTime


class FailedCheck(ContractModel):
    """A check that did not end GREEN."""

    name: str
    status: Annotated[QualityStatus, Lax]
    value: Number | None = None
    threshold: Number | None = None
    message: str | None = None


class AlertSummary(ContractModel):
    """The run in five numbers."""

    records_read: Count
    records_written: Count
    records_dropped: Count
    bytes_written: Count
    duration_seconds: Number


class AlertDropReason(ContractModel):
    """Why records were dropped."""

    reason: str
    count: Count


class AlertError(ContractModel):
    """The exception, without its stack."""

    type: str
    message: str | None = None


class AlertLinks(ContractModel):
    """Where to look and decide."""

    run: str | None = None
    decide: str | None = None
    runbook: str | None = None


class AlertMessage(ContractModel):
    """What a sink is told about one transition of an incident."""

    schema_version: str
    alert_id: str
    incident_id: str
    dedup_key: str
    rev: Count
    transition: str
    state: Literal["open", "acknowledged", "resolved"]
    severity: Literal["critical", "warning", "info"]
    rule: str
    environment: str
    job_name: str
    job_run_id: str | None = None
    attempt: int | None = None
    event_id: str | None = None
    raised_at: UtcTime
    first_seen: UtcTime
    last_seen: UtcTime
    occurrences: Count
    suppressed_since_last: Count = 0
    status: Annotated[Status, Lax] | None = None
    failure_type: Annotated[FailureType, Lax] | None = None
    quality_status: Annotated[QualityStatus, Lax] | None = None
    title: str
    failed_checks: list[FailedCheck] = Field(default_factory=list)
    summary: AlertSummary
    top_drop_reasons: list[AlertDropReason] = Field(default_factory=list)
    error: AlertError | None = None
    owner: str | None = None
    tags: list[str] = Field(default_factory=list)
    expires_at: UtcTime | None = None
    links: AlertLinks = Field(default_factory=AlertLinks)
    possible_duplicate: bool = False
