"""Approval events (contracts.md 7), on the topic job-approvals."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from dwh_contracts.events import Envelope
from dwh_contracts.model import Hex64, Lax
from dwh_contracts.times import UtcTime

REASON_MIN = 10
REASON_MAX = 2000


class Decision(StrEnum):
    """What a person may decide."""

    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


class Channel(StrEnum):
    """The way a decision came in."""

    API = "api"
    CONSOLE = "console"
    CLI = "cli"
    EMAIL_LINK = "email_link"
    SLACK_LINK = "slack_link"
    TOPIC = "topic"


class Outcome(StrEnum):
    """What a decision that did not become the final one was."""

    VOTE = "vote"
    SUPERFLUOUS = "superfluous"
    CONFLICT = "conflict"
    REFUSED = "refused"


class ApprovalDecision(Envelope):
    """Somebody says yes or no to a run's data."""

    event_type: Literal["approval_decision"]
    decision: Annotated[Decision, Lax]
    decided_by: str
    decided_by_verified: bool = False
    principal: str | None = None
    channel: Annotated[Channel, Lax] | None = None
    reason: Annotated[str, Field(min_length=REASON_MIN, max_length=REASON_MAX)]
    source_event_id: str | None = None
    artifacts_manifest_sha256: Hex64 | None = None


class ApprovalExpired(Envelope):
    """Nobody decided in time, or a newer attempt took the run's place."""

    event_type: Literal["approval_expired"]
    decision: Literal["EXPIRED"]
    decided_by: Literal["system:expiry", "system:superseded"]
    source_event_id: str | None = None


class ApprovalRequested(Envelope):
    """A run waits for a decision."""

    event_type: Literal["approval_requested"]
    opened_at: UtcTime
    expires_at: UtcTime
    required: Annotated[int, Field(ge=1, le=5)]
    policy: dict[str, object] | str | None = None
    config_version: str | None = None
    source_event_id: str | None = None


class ApprovalAccepted(Envelope):
    """The final decision of a run."""

    event_type: Literal["approval_accepted"]
    accepted_event_id: str
    decision: Literal["APPROVED", "REJECTED", "EXPIRED"]
    decided_by: str
    voters: list[str] = Field(default_factory=list)
    source_event_id: str | None = None
    artifacts_manifest_sha256: Hex64 | None = None


class ApprovalVerdict(Envelope):
    """What became of a decision that is not the final one."""

    event_type: Literal["approval_verdict"]
    decision_event_id: str
    outcome: Annotated[Outcome, Lax]
    reason: str | None = None


class ApprovalReminder(Envelope):
    """A share of the term has passed, or the term was put off (`p<expires_at>`)."""

    event_type: Literal["approval_reminder"]
    stage: int | str
    expires_at: UtcTime | None = None


APPROVAL_EVENTS: dict[str, type[Envelope]] = {
    "approval_decision": ApprovalDecision,
    "approval_expired": ApprovalExpired,
    "approval_requested": ApprovalRequested,
    "approval_accepted": ApprovalAccepted,
    "approval_verdict": ApprovalVerdict,
    "approval_reminder": ApprovalReminder,
}
