"""Facts the system writes about itself (contracts.md 9): models, and builders of complete bodies.

A fact is stored once under its id; a second copy is always a duplicate, whatever its content.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from dwh_contracts import ids
from dwh_contracts.canonical import JsonObject
from dwh_contracts.events import MAX_ATTEMPT, SCHEMA_VERSION, Envelope
from dwh_contracts.model import ContractModel, Number, Payload
from dwh_contracts.names import JobName, RunId
from dwh_contracts.times import format_time, parse_time

FactOutcome = Literal["done", "failed", "skipped_stale", "skipped_silenced", "possible_duplicate"]
_RUN = ("job_name", "job_run_id", "attempt", "correlation_id")


class Fact(Envelope):
    """What a service decided or did; job fields are null on a fact without a run."""

    job_name: JobName | None = None  # type: ignore[assignment]
    job_run_id: RunId | None = None  # type: ignore[assignment]
    attempt: Annotated[int, Field(ge=1, le=MAX_ATTEMPT)] | None = None  # type: ignore[assignment]
    service: str
    effect: str
    outcome: FactOutcome | None = None
    lag_seconds: Number | None = None


class RuleResult(ContractModel):
    """One evaluated rule: did it match, and which clause decided."""

    rule_id: str
    trigger_set: str
    matched: bool
    clause: str | None = None
    value: Any = None


class DecisionRecorded(Fact):
    """Why something did or did not start."""

    event_type: Literal["decision_recorded"]
    rules: list[RuleResult]
    config_version: str | None = None
    config_etag: str | None = None
    input_event_id: str
    reason: str | None = None


class TriggerFact(Fact):
    """A step in the life of a trigger."""

    event_type: Literal["trigger_requested", "trigger_sent", "trigger_failed", "trigger_skipped"]
    trigger_id: str
    type: str
    target: str | None = None
    conf: Payload = Field(default_factory=dict)
    message_id: str | None = None
    error: Any = None
    possible_duplicate: bool = False


class IncidentTransition(Fact):
    """One revision of an incident."""

    event_type: Literal["incident_transition"]
    incident_id: str
    rev: Annotated[int, Field(ge=1)]
    transition: str
    incident: Payload


class NotificationFact(Fact):
    """A step of one delivery to one sink."""

    event_type: Literal["notification_sent", "notification_failed", "notification_skipped"]
    sink: str
    incident_id: str
    rev: int


class OperatorFact(Fact):
    """What an operator ordered."""

    event_type: Literal[
        "incident_command", "silence_created", "silence_ended", "quarantine_replayed", "quarantine_discarded"
    ]
    author: str
    reason: str | None = None


class SystemFact(Fact):
    """The system about itself, without a run."""

    event_type: Literal[
        "queue_depth",
        "config_accepted",
        "config_rejected",
        "audit_finding",
        "repair_made",
        "brake_engaged",
        "brake_released",
    ]


EFFECT_EVENTS: dict[str, type[Fact]] = {
    "decision_recorded": DecisionRecorded,
    "trigger_requested": TriggerFact,
    "trigger_sent": TriggerFact,
    "trigger_failed": TriggerFact,
    "trigger_skipped": TriggerFact,
    "incident_transition": IncidentTransition,
    "notification_sent": NotificationFact,
    "notification_failed": NotificationFact,
    "notification_skipped": NotificationFact,
    "incident_command": OperatorFact,
    "silence_created": OperatorFact,
    "silence_ended": OperatorFact,
    "quarantine_replayed": OperatorFact,
    "quarantine_discarded": OperatorFact,
    "queue_depth": SystemFact,
    "config_accepted": SystemFact,
    "config_rejected": SystemFact,
    "audit_finding": SystemFact,
    "repair_made": SystemFact,
    "brake_engaged": SystemFact,
    "brake_released": SystemFact,
}


def _fact(
    event_type: str,
    event_id: str,
    environment: str,
    *,
    cause: JsonObject | None,
    service: str,
    effect: str,
    timestamp: datetime,
    now: datetime,
    outcome: str | None,
) -> JsonObject:
    since = cause.get("timestamp") if cause else None
    lag = (now - parse_time(since)).total_seconds() if isinstance(since, str) else None
    run: JsonObject = {name: cause.get(name) if cause else None for name in _RUN}
    return {
        "schema_version": SCHEMA_VERSION,
        "event_type": event_type,
        "event_id": event_id,
        "environment": environment,
        **run,
        "causation_id": cause.get("event_id") if cause else None,
        "timestamp": format_time(timestamp),
        "service": service,
        "effect": effect,
        "outcome": outcome,
        "lag_seconds": lag,
    }


def decision_recorded(
    cause: JsonObject,
    *,
    service: str,
    rules: list[JsonObject],
    now: datetime,
    config_version: str | None = None,
    config_etag: str | None = None,
    reason: str | None = None,
    **more: JsonValue,
) -> JsonObject:
    """`decision_recorded` about the event `cause` (its whole body); `more`: `triggers`, `situation`."""
    environment, input_id = str(cause["environment"]), str(cause["event_id"])
    base = _fact(
        "decision_recorded",
        ids.decision_recorded_id(environment, service, input_id),
        environment,
        cause=cause,
        service=service,
        effect="decide",
        timestamp=parse_time(str(cause["timestamp"])),
        now=now,
        outcome="done",
    )
    own: JsonObject = {
        "rules": list(rules),
        "config_version": config_version,
        "config_etag": config_etag,
        "input_event_id": input_id,
        "reason": reason,
    }
    return {**more, **base, **own}


def trigger_fact(
    step: str,
    cause: JsonObject,
    *,
    key: str,
    trigger: JsonObject,
    timestamp: datetime,
    now: datetime,
    service: str = "orchestrator",
    outcome: str | None = None,
    **more: JsonValue,
) -> JsonObject:
    """`trigger_<step>` (requested, sent, failed, skipped) of the effect `key` that follows from `cause`.

    `trigger` carries `trigger_id`, `type`, `target`, `conf` and what else is to be said of it.
    """
    event_type, environment = f"trigger_{step}", str(cause["environment"])
    base = _fact(
        event_type,
        ids.effect_fact_id(event_type, environment, key, step),
        environment,
        cause=cause,
        service=service,
        effect="trigger",
        timestamp=timestamp,
        now=now,
        outcome=outcome,
    )
    return {**trigger, **more, **base}


def incident_transition(
    incident: JsonObject,
    *,
    transition: str,
    timestamp: datetime,
    now: datetime,
    cause: JsonObject | None = None,
    service: str = "alerts",
    **more: JsonValue,
) -> JsonObject:
    """One revision, with the whole incident as it then stands (alerts.md 2) under `incident`."""
    environment, rev = str(incident["environment"]), int(str(incident["rev"]))
    base = _fact(
        "incident_transition",
        ids.incident_transition_id(environment, str(incident["incident_id"]), rev),
        environment,
        cause=cause,
        service=service,
        effect="incident",
        timestamp=timestamp,
        now=now,
        outcome="done",
    )
    if cause is None and "job_name" in incident:
        base["job_name"] = incident["job_name"]
    own: JsonObject = {
        "incident_id": incident["incident_id"],
        "rev": rev,
        "transition": transition,
        "incident": incident,
    }
    return {**more, **base, **own}


def notification_fact(
    step: str,
    *,
    environment: str,
    key: str,
    sink: str,
    incident_id: str,
    rev: int,
    timestamp: datetime,
    now: datetime,
    cause: JsonObject | None = None,
    service: str = "alerts",
    outcome: str | None = None,
    **more: JsonValue,
) -> JsonObject:
    """`notification_<step>` (sent, failed, skipped) of the effect `key`."""
    event_type = f"notification_{step}"
    base = _fact(
        event_type,
        ids.effect_fact_id(event_type, environment, key, step),
        environment,
        cause=cause,
        service=service,
        effect="notification",
        timestamp=timestamp,
        now=now,
        outcome=outcome,
    )
    return {**more, **base, "sink": sink, "incident_id": incident_id, "rev": rev}


def system_fact(
    event_type: str,
    *,
    environment: str,
    service: str,
    subject: str,
    version: str,
    timestamp: datetime,
    now: datetime,
    outcome: str | None = "done",
    **more: JsonValue,
) -> JsonObject:
    """A fact without a run; `version` is the version or the time of its cause."""
    base = _fact(
        event_type,
        ids.system_fact_id(event_type, environment, service, subject, version),
        environment,
        cause=None,
        service=service,
        effect=event_type,
        timestamp=timestamp,
        now=now,
        outcome=outcome,
    )
    return {**more, **base, "subject": subject, "version": version}
