"""Deterministic ids (contracts.md 2): no clock, no random number.

Every id is the first 32 hex digits of SHA-256 over its parts joined by U+001F, so that a producer's
retry, a redelivery and a replay all meet the same one.
"""

import hashlib

from dwh_contracts.canonical import JsonObject, canonical_json

SEPARATOR = "\x1f"
LENGTH = 32


def digest(*parts: str | int) -> str:
    """The id of `parts`.

    Raises:
        ValueError: a part contains U+001F, which would make two lists of parts one.
    """
    joined = SEPARATOR.join(map(str, parts))
    if joined.count(SEPARATOR) >= max(len(parts), 1):
        raise ValueError("a part of an id may not contain U+001F")
    return hashlib.sha256(joined.encode()).hexdigest()[:LENGTH]


def stream(environment: str, job_name: str, job_run_id: str) -> str:
    """The name under which all events of one run are read together."""
    return f"{environment}/{job_name}/{job_run_id}"


def job_event_id(event_type: str, environment: str, job_name: str, job_run_id: str, attempt: int) -> str:
    """`job_started`, `job_completed`."""
    return digest(event_type, environment, job_name, job_run_id, attempt)


def openlineage_id(
    environment: str, job_name: str, job_run_id: str, attempt: int, lineage_event_type: str
) -> str:
    """`openlineage`: one per run event type."""
    return digest("openlineage", environment, job_name, job_run_id, attempt, lineage_event_type)


def dag_run_created_id(environment: str, dag_id: str, dag_run_id: str) -> str:
    """`dag_run_created`."""
    return digest("dag_run_created", environment, dag_id, dag_run_id)


def dag_run_finished_id(environment: str, dag_id: str, dag_run_id: str, end_date: str) -> str:
    """`dag_run_finished`: a cleared run finishes again, at another time."""
    return digest("dag_run_finished", environment, dag_id, dag_run_id, end_date)


def trigger_failed_id(environment: str, trigger_id: str) -> str:
    """`trigger_failed` from the dispatcher."""
    return digest("trigger_failed", environment, trigger_id)


def publication_id(
    event_type: str, environment: str, job_name: str, job_run_id: str, attempt: int, manifest_sha256: str
) -> str:
    """`run_published`, `run_discarded`, `publish_refused`."""
    return digest(event_type, environment, job_name, job_run_id, attempt, manifest_sha256)


def approval_decision_id(
    environment: str, job_name: str, job_run_id: str, attempt: int, decision: str, decided_by: str
) -> str:
    """`approval_decision`: the same person's same decision is one."""
    return digest("approval_decision", environment, job_name, job_run_id, attempt, decision, decided_by)


def approval_event_id(event_type: str, environment: str, job_name: str, job_run_id: str, attempt: int) -> str:
    """`approval_requested`, `approval_accepted`, `approval_expired`."""
    return digest(event_type, environment, job_name, job_run_id, attempt)


def approval_reminder_id(
    environment: str, job_name: str, job_run_id: str, attempt: int, stage: str | int
) -> str:
    """`approval_reminder`: one per stage."""
    return digest("approval_reminder", environment, job_name, job_run_id, attempt, stage)


def approval_verdict_id(environment: str, decision_event_id: str) -> str:
    """`approval_verdict`: one per decision."""
    return digest("approval_verdict", environment, decision_event_id)


def approval_refused_id(environment: str, content_hash: str) -> str:
    """The id under which a refused approval event is stored, never its own."""
    return digest("approval_refused", environment, content_hash)


def trigger_id(
    environment: str, job_name: str, job_run_id: str, attempt: int, trigger_set: str, rule_id: str
) -> str:
    """A trigger: one per run, situation and rule."""
    return digest("trigger", environment, job_name, job_run_id, attempt, trigger_set, rule_id)


def alert_id(environment: str, job_name: str, job_run_id: str, rule: str) -> str:
    """A cause of an incident."""
    return digest("alert", environment, job_name, job_run_id, rule)


def incident_id(environment: str, incident_key: str, episode: int) -> str:
    """An incident: one per key and episode."""
    return digest("incident", environment, incident_key, episode)


def incident_transition_id(environment: str, incident_id: str, rev: int) -> str:
    """`incident_transition`: one per revision."""
    return digest("incident_transition", environment, incident_id, rev)


def decision_recorded_id(environment: str, service: str, input_event_id: str) -> str:
    """`decision_recorded`: one per event a service decided on."""
    return digest("decision_recorded", environment, service, input_event_id)


def effect_fact_id(event_type: str, environment: str, effect_key: str, step: str) -> str:
    """`trigger_*` and `notification_*` facts: one per effect and step."""
    return digest(event_type, environment, effect_key, step)


def system_fact_id(event_type: str, environment: str, service: str, subject: str, version: str) -> str:
    """A fact without a run; `version` is the version or the time of its cause."""
    return digest(event_type, environment, service, subject, version)


def quarantine_id(service: str, raw: bytes) -> str:
    """A refused message: one per service and bytes, so a redelivery is one record."""
    return hashlib.sha256(service.encode() + SEPARATOR.encode() + raw).hexdigest()[:LENGTH]


def legacy_trigger_id(body: JsonObject) -> str:
    """The trigger id of a message of the old form, which brings none."""
    return hashlib.sha256(canonical_json(body)).hexdigest()[:LENGTH]
