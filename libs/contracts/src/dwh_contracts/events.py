"""Job events (contracts.md 3 to 5): the envelope and everything on the topic job-events."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from dwh_contracts.model import ContractModel, Count, Hex32, Hex64, Lax, Number, Payload
from dwh_contracts.names import EnvironmentName, JobName, RunId
from dwh_contracts.times import UtcTime

SCHEMA_VERSION = "1.0"
MAX_ATTEMPT = 50


class Status(StrEnum):
    """What became of a run."""

    SUCCESS = "SUCCESS"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    FAILED = "FAILED"


class FailureType(StrEnum):
    """Why a run is not a success."""

    CATASTROPHIC = "CATASTROPHIC"
    QUALITY = "QUALITY"


class QualityStatus(StrEnum):
    """The verdict of one check or of all."""

    GREEN = "GREEN"
    YELLOW = "YELLOW"
    RED = "RED"


class JobStatus(StrEnum):
    """The job's own view, before quality is judged."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


class ServiceProvider(StrEnum):
    """Where Spark ran."""

    GLUE = "GLUE"
    EMR = "EMR"
    DATABRICKS = "DATABRICKS"
    CONTAINER = "CONTAINER"
    LOCAL = "LOCAL"


class Envelope(ContractModel):
    """What every event of a run says about itself."""

    schema_version: str
    event_type: str
    event_id: Hex32 | None = None
    environment: EnvironmentName
    job_name: JobName
    job_run_id: RunId
    attempt: Annotated[int, Field(ge=1, le=MAX_ATTEMPT)]
    timestamp: UtcTime
    correlation_id: str | None = None
    causation_id: str | None = None
    code_version: str | None = None
    platform_run_id: str | None = None
    producer: str | None = None


class Check(ContractModel):
    """One quality check and the limit it was held against."""

    name: str
    status: Annotated[QualityStatus, Lax]
    value: Number | None = None
    threshold: Number | None = None
    message: str | None = None
    rule_version: str | None = None


class Quality(ContractModel):
    """The worst of all checks; `evaluated` is false when none was."""

    status: Annotated[QualityStatus, Lax]
    evaluated: bool
    checks: list[Check]


class Artifact(ContractModel):
    """One category of a run's output."""

    name: str
    path: str
    format: str | None = None
    records: Count | None = None
    bytes: Count | None = None
    window_start: UtcTime | None = None
    window_end: UtcTime | None = None


class Manifest(ContractModel):
    """The file that lists exactly the data a run wrote."""

    uri: str
    bytes: Count
    sha256: Hex64


class ErrorInfo(ContractModel):
    """The exception that ended a run."""

    type: str
    phase: str | None = None
    message: str | None = None
    stack_trace: str | None = None


class DropReason(ContractModel):
    """How many records were dropped for one reason."""

    reason: str
    count: Count


class Phase(ContractModel):
    """Wall time of extract, transform or load."""

    start_time: UtcTime | None = None
    end_time: UtcTime | None = None
    duration_seconds: Number | None = None


class Resources(ContractModel):
    """What the platform gave the run."""

    spark_executor_count: Number | None = None
    spark_executor_memory_gb: Number | None = None
    spark_driver_memory_gb: Number | None = None
    glue_dpu_seconds: Number | None = None


class MetricsContext(ContractModel):
    """Where and for what a run works."""

    start_time: UtcTime | None = None
    service_provider: Annotated[ServiceProvider, Lax] | None = None
    environment: str | None = None
    region: str | None = None
    created_by: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    source_base_path: str | None = None
    sink_base_path: str | None = None


class Metrics(MetricsContext):
    """What a run measured."""

    job_name: str
    job_run_id: str
    job_status: Annotated[JobStatus, Lax]
    end_time: UtcTime | None = None
    duration_seconds: Number
    records_read: Count
    records_written: Count
    records_dropped: Count
    bytes_written: Count
    phases: dict[str, Phase] | None = None
    drop_reasons: list[DropReason]
    resources: Resources | None = None
    payload: Payload


class JobStarted(Envelope):
    """A run has begun; context fields only."""

    event_type: Literal["job_started"]
    metrics: MetricsContext | None = None


class JobCompleted(Envelope):
    """A run has ended, well or not."""

    event_type: Literal["job_completed"]
    status: Annotated[Status, Lax]
    failure_type: Annotated[FailureType, Lax] | None
    artifacts_available: bool
    artifacts_base_path: str | None = None
    artifacts: list[Artifact]
    artifacts_manifest: Manifest | None = None
    quality: Quality
    metrics: Metrics
    error: ErrorInfo | None


class DagRunCreated(Envelope):
    """The dispatcher started a DAG for the source run named in the envelope."""

    event_type: Literal["dag_run_created"]
    dag_id: RunId
    dag_run_id: RunId
    trigger_id: str | None = None


class DagRunFinished(Envelope):
    """A DAG run ended."""

    event_type: Literal["dag_run_finished"]
    dag_id: RunId
    dag_run_id: RunId
    trigger_id: str | None = None
    state: Literal["success", "failed"]
    duration_seconds: Number | None = None
    end_date: UtcTime | None = None


class TriggerFailed(Envelope):
    """The dispatcher could not start the DAG."""

    event_type: Literal["trigger_failed"]
    trigger_id: str
    dag_id: str | None = None
    reason: str


class Pointer(ContractModel):
    """The published pointer before and after."""

    uri: str
    old: Any = None
    new: Any = None
    outcome: Literal["moved", "unchanged"] | None = None


class Publication(Envelope):
    """What the publisher of audited data did with a run's manifest."""

    artifacts_manifest: Manifest | None = None
    pointer: Pointer | None = None
    decision_event_id: str | None = None
    reason: str | None = None


class RunPublished(Publication):
    """The pointer names this run's data."""

    event_type: Literal["run_published"]
    artifacts_manifest: Manifest
    pointer: Pointer


class RunDiscarded(Publication):
    """The run's data will never be published."""

    event_type: Literal["run_discarded"]


class PublishRefused(Publication):
    """The data on disk are not those decided on, or the pointer would go back."""

    event_type: Literal["publish_refused"]


class OpenLineageEvent(Envelope):
    """A run event of OpenLineage, carried whole."""

    event_type: Literal["openlineage"]
    openlineage: Payload


JOB_EVENTS: dict[str, type[Envelope]] = {
    "job_started": JobStarted,
    "job_completed": JobCompleted,
    "dag_run_created": DagRunCreated,
    "dag_run_finished": DagRunFinished,
    "trigger_failed": TriggerFailed,
    "run_published": RunPublished,
    "run_discarded": RunDiscarded,
    "publish_refused": PublishRefused,
    "openlineage": OpenLineageEvent,
}
