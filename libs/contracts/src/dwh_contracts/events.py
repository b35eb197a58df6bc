"""Job events: what a Spark run, Airflow and the publisher say on the topic job-events (contracts.md 3).

Models are frozen and keep unknown fields. A missing required field, a wrong type or a value out of range
is an error; nothing is defaulted silently.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from dwh_contracts.names import EnvironmentName, JobName, RunId
from dwh_contracts.times import UtcTime

Name = Annotated[str, Field(max_length=200)]
Message = Annotated[str, Field(max_length=4_000)]
Count = Annotated[int, Field(strict=True, ge=0)]
Number = Annotated[int | float, Field(strict=True)]
Seconds = Annotated[int | float, Field(strict=True, ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
EventId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Flag = Annotated[bool, Field(strict=True)]


class Status(StrEnum):
    """How a run ended, as the system sees it."""

    SUCCESS = "SUCCESS"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    FAILED = "FAILED"


class FailureType(StrEnum):
    """Why a run did not simply succeed."""

    CATASTROPHIC = "CATASTROPHIC"
    QUALITY = "QUALITY"


class QualityStatus(StrEnum):
    """Result of a check and of all checks."""

    GREEN = "GREEN"
    YELLOW = "YELLOW"
    RED = "RED"


class Body(BaseModel):
    """Base of everything that travels: frozen, keeps what it does not know."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Envelope(Body):
    """What every event carries."""

    schema_version: str
    event_type: str
    event_id: EventId
    environment: EnvironmentName
    job_name: JobName
    job_run_id: RunId
    attempt: Annotated[int, Field(strict=True, ge=1, le=50)]
    timestamp: UtcTime
    correlation_id: str | None = None
    causation_id: str | None = None
    code_version: str | None = None
    platform_run_id: str | None = None
    producer: str | None = None


class Check(Body):
    """One quality check with the limit it was held against."""

    name: Name
    status: QualityStatus
    value: Number | None = None
    threshold: Number | None = None
    message: Message | None = None
    rule_version: str | None = None


class Quality(Body):
    """Worst of all checks; `evaluated` is false when none ran."""

    status: QualityStatus
    evaluated: Flag
    checks: list[Check]


class Artifact(Body):
    """One category of written data."""

    name: Name
    path: str
    format: str | None = None
    records: Count | None = None
    bytes: Count | None = None
    window_start: UtcTime | None = None
    window_end: UtcTime | None = None


class Manifest(Body):
    """Address and checksum of the list of exactly the audited files."""

    uri: str
    bytes: Count
    sha256: Sha256


class DropReason(Body):
    """Rows dropped for one reason."""

    reason: Name
    count: Count


class Phase(Body):
    """Wall time of one phase, in seconds."""

    start_time: UtcTime
    end_time: UtcTime
    duration_seconds: Seconds


class Metrics(Body):
    """Counts, bytes and seconds of a completed run (contracts.md 5)."""

    job_name: str
    job_run_id: str
    job_status: Literal["SUCCESS", "FAILED"]
    duration_seconds: Seconds
    records_read: Count
    records_written: Count
    records_dropped: Count
    bytes_written: Count
    drop_reasons: list[DropReason]
    payload: dict[str, JsonValue]
    start_time: UtcTime | None = None
    end_time: UtcTime | None = None
    service_provider: str | None = None
    environment: str | None = None
    region: str | None = None
    created_by: str | None = None
    start_date: UtcTime | None = None
    end_date: UtcTime | None = None
    source_base_path: str | None = None
    sink_base_path: str | None = None
    phases: dict[str, Phase] = Field(default_factory=dict)
    resources: dict[str, JsonValue] | None = None


class ErrorInfo(Body):
    """The exception that ended a run."""

    type: str
    message: Message
    phase: str | None = None
    stack_trace: Annotated[str, Field(max_length=32_020)] | None = None


class JobStarted(Envelope):
    """A run began; `metrics` holds its context only."""

    event_type: Literal["job_started"]
    metrics: dict[str, JsonValue] = Field(default_factory=dict)


class JobCompleted(Envelope):
    """A run ended; status and quality agree by the table of contracts.md 4."""

    event_type: Literal["job_completed"]
    status: Status
    failure_type: FailureType | None
    artifacts_available: Flag
    artifacts: list[Artifact]
    quality: Quality
    metrics: Metrics
    error: ErrorInfo | None
    artifacts_base_path: str | None = None
    artifacts_manifest: Manifest | None = None


class DagRunCreated(Envelope):
    """Airflow has a run for a trigger."""

    event_type: Literal["dag_run_created"]
    dag_id: RunId
    dag_run_id: RunId
    trigger_id: str


class DagRunFinished(Envelope):
    """A triggered DAG run ended."""

    event_type: Literal["dag_run_finished"]
    dag_id: RunId
    dag_run_id: RunId
    trigger_id: str
    state: Literal["success", "failed"]
    duration_seconds: Seconds | None = None


class TriggerFailed(Envelope):
    """The dispatcher could not start a run."""

    event_type: Literal["trigger_failed"]
    trigger_id: str
    dag_id: str | None = None
    reason: str


class Publication(Envelope):
    """What `publish_run` did or refused to do with a run's audited data."""

    event_type: Literal["run_published", "run_discarded", "publish_refused"]
    artifacts_manifest: Manifest
    decision_event_id: str | None = None


class OpenLineageEvent(Envelope):
    """An OpenLineage run event under our envelope."""

    event_type: Literal["openlineage"]
