"""Bodies of the events this service writes; ids are always computed, never brought."""

from datetime import datetime

from dwh_contracts.canonical import JsonObject, JsonValue
from dwh_contracts.event_ids import expected_event_id
from dwh_contracts.ids import approval_refused_id
from dwh_contracts.times import format_time

from dwh_approvals.records import DecisionClaim, Head, RunKey, VerdictClaim


def _body(event_type: str, key: RunKey, timestamp: datetime, **fields: JsonValue) -> JsonObject:
    body: JsonObject = {
        "schema_version": "1.0",
        "event_type": event_type,
        **key.fields,
        "timestamp": format_time(timestamp),
        **fields,
    }
    return {**body, "event_id": expected_event_id(body)}


def decision_body(key: RunKey, timestamp: datetime, **fields: JsonValue) -> JsonObject:
    """`approval_decision` of a person."""
    return _body("approval_decision", key, timestamp, **fields)


def requested_body(head: Head) -> JsonObject:
    """`approval_requested`, from what the head fixed."""
    return _body(
        "approval_requested",
        head.key,
        head.opened_at,
        opened_at=format_time(head.opened_at),
        expires_at=format_time(head.expires_at),
        required=head.required,
        policy=head.policy,
        config_version=head.config_version,
        source_event_id=head.source_event_id,
    )


def expired_body(head: Head, decided_by: str, timestamp: datetime) -> JsonObject:
    """`approval_expired` by the clock or by a newer attempt."""
    return _body(
        "approval_expired",
        head.key,
        timestamp,
        decision="EXPIRED",
        decided_by=decided_by,
        source_event_id=head.source_event_id,
    )


def accepted_body(claim: DecisionClaim) -> JsonObject:
    """`approval_accepted`, from the claim alone."""
    return _body(
        "approval_accepted",
        claim.key,
        claim.created_at,
        accepted_event_id=claim.event_id,
        decision=claim.decision,
        decided_by=claim.event["decided_by"],
        voters=list(claim.voters),
        source_event_id=claim.source_event_id,
        artifacts_manifest_sha256=claim.artifacts_manifest_sha256,
        config_version=claim.config_version,
    )


def verdict_body(claim: VerdictClaim) -> JsonObject:
    """`approval_verdict`, from its claim alone."""
    return _body(
        "approval_verdict",
        claim.key,
        claim.created_at,
        decision_event_id=claim.event_id,
        outcome=claim.outcome.value,
        reason=claim.reason,
    )


def reminder_body(head: Head, stage: int, timestamp: datetime) -> JsonObject:
    """`approval_reminder` of one share of the term."""
    return _body(
        "approval_reminder", head.key, timestamp, stage=stage, expires_at=format_time(head.expires_at)
    )


def refused_body(body: JsonObject, content_hash: str) -> JsonObject:
    """The same event under the id of a refused one, so that it occupies nobody's own."""
    return {**body, "event_id": approval_refused_id(str(body["environment"]), content_hash)}
