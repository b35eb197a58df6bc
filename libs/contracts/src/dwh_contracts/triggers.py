"""The trigger message on the queue mwaa-triggers (contracts.md 8)."""

from pydantic import ValidationError

from dwh_contracts.canonical import JsonObject
from dwh_contracts.events import SCHEMA_VERSION
from dwh_contracts.ids import legacy_trigger_id
from dwh_contracts.model import ContractModel, Payload
from dwh_contracts.names import EnvironmentName, RunId
from dwh_contracts.quarantine import QuarantineReason, Refused
from dwh_contracts.reading import check_version, decode, first_fault
from dwh_contracts.times import UtcTime

RESERVED = frozenset({"triggered_by_job", "triggered_by_run_id", "trigger_id", "source_artifacts"})


class TriggerSource(ContractModel):
    """The event and rule a trigger follows from."""

    job_name: str | None = None
    job_run_id: str | None = None
    attempt: int = 1
    event_id: str | None = None
    event_type: str | None = None
    trigger_set: str | None = None
    rule_id: str | None = None


class TriggerMessage(ContractModel):
    """Start this DAG once, with this `conf`."""

    schema_version: str
    trigger_id: str
    dag_id: RunId
    run_id: str
    created_at: UtcTime | None = None
    attempt: int = 1
    environment: EnvironmentName
    source: TriggerSource
    conf: Payload


def trigger_run_id(job_name: str, trigger_id: str) -> str:
    """The DAG run id of a triggered run."""
    return f"trig__{job_name}__{trigger_id}"


def trigger_attributes(message: TriggerMessage) -> dict[str, str]:
    """Attributes of the queue message."""
    found = {
        "dag_id": message.dag_id,
        "source_job": message.source.job_name,
        "trigger_id": message.trigger_id,
    }
    return {name: value for name, value in found.items() if value is not None}


def upcast_trigger(body: JsonObject, *, environment: str) -> JsonObject:
    """A message of the old form (`dag_id` and `conf` only) in the current one."""
    if "schema_version" in body:
        return body
    conf = body.get("conf")
    source = conf if isinstance(conf, dict) else {}
    job = source.get("triggered_by_job")
    trigger_id = legacy_trigger_id(body)
    return {
        **body,
        "schema_version": SCHEMA_VERSION,
        "trigger_id": trigger_id,
        "run_id": trigger_run_id(str(job or "unknown"), trigger_id),
        "environment": environment,
        "source": {"job_name": job, "job_run_id": source.get("triggered_by_run_id")},
        "conf": {} if conf is None else conf,
    }


def parse_trigger_message(raw: bytes, environment: str) -> TriggerMessage:
    """The message in `raw`, old or new form.

    Raises:
        Refused: by the order of `QuarantineReason`.
    """
    body = upcast_trigger(decode(raw), environment=environment)
    check_version(body["schema_version"])
    try:
        message = TriggerMessage.model_validate(body)
    except ValidationError as error:
        raise first_fault(error) from None
    if message.environment != environment:
        raise Refused(QuarantineReason.WRONG_ENVIRONMENT, "environment", f"this is {environment}")
    return message
