"""What becomes of a decision, given who decides, what they saw and how far the approval is.

Pure. The rules, in the order in which they are asked:

| question | answer when it fails |
|---|---|
| is the person known, or does the workflow accept messages of nobody in particular? | refused |
| is the person an approver of this workflow? | refused |
| is the run known? | unknown: kept as early, or 404 |
| four eyes: somebody else than the requester? | refused |
| is there an approval of this run at all? | refused |
| did the person see the data that are decided on? | refused |

| a valid decision | PENDING | APPROVED | REJECTED | EXPIRED |
|---|---|---|---|---|
| APPROVED | vote, the N-th wins | same person: repeat; other: superfluous | conflict | conflict |
| REJECTED | wins | conflict | same person: repeat; other: superfluous | superfluous |
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from dwh_contracts.approvals import REASON_MAX, REASON_MIN, Decision
from dwh_contracts.events import FailureType, JobCompleted, Status
from dwh_contracts.workflow import Approval

from dwh_approvals.records import Head, State


class Refusal(StrEnum):
    """Why a decision is not even counted; the problem documents' slugs."""

    NOT_AN_APPROVER = "not-an-approver"
    REQUESTER = "requester-may-not-decide"
    NOT_PENDING = "not-pending"
    STALE_VIEW = "stale-view"


class Kind(StrEnum):
    """What is to be done with a decision."""

    REFUSED = "refused"
    """Recorded with the reason, changes nothing."""
    UNKNOWN = "unknown"
    """Nothing is known of the run yet."""
    ACCEPT = "accept"
    """Try to make it the final one."""
    VOTE = "vote"
    """Counts, and more are needed."""
    VOTED = "voted"
    """The same person's same vote once more."""
    REPEAT = "repeat"
    """It is the final one already."""
    SUPERFLUOUS = "superfluous"
    """Somebody else said the same before."""
    CONFLICT = "conflict"
    """Contrary to what is final."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who decides; `names` are all the names a requester may have been recorded under."""

    principal: str
    decided_by: str
    names: frozenset[str]
    groups: frozenset[str] = frozenset()
    verified: bool = True


@dataclass(frozen=True, slots=True)
class Proposal:
    """A decision before it is judged; what the person saw is None where they did not say."""

    event_id: str
    decision: Decision
    person: Person
    source_event_id: str | None = None
    artifacts_manifest_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Final:
    """The decision that won."""

    event_id: str
    decision: State


@dataclass(frozen=True, slots=True)
class Situation:
    """How far the approval is; `run_known` without a head: a run that asks nobody."""

    run_known: bool
    head: Head | None = None
    final: Final | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The kind, and for a refusal which and why."""

    kind: Kind
    refusal: Refusal | None = None
    why: str = ""
    voters: Sequence[str] = field(default=())


def judge(proposal: Proposal, situation: Situation, policy: Approval, *, unverified_allowed: bool) -> Verdict:
    """What becomes of the decision, by the tables above."""
    head = situation.head
    refused = _no_right(proposal.person, policy, unverified_allowed=unverified_allowed)
    if refused is not None:
        return refused
    if head is None:
        if not situation.run_known:
            return Verdict(Kind.UNKNOWN, why="nothing is known of this run")
        return _refuse(Refusal.NOT_PENDING, "this run asks for no decision")
    refused = _own_run(proposal.person, head, policy) or _unseen(proposal, head, policy)
    if refused is not None:
        return refused
    return _against(proposal, situation.final) if situation.final else _pending(proposal, head)


def _no_right(person: Person, policy: Approval, *, unverified_allowed: bool) -> Verdict | None:
    if not (person.verified or unverified_allowed or policy.accept_unverified):
        return _refuse(Refusal.NOT_AN_APPROVER, "nobody vouches for who sent this message")
    if not is_approver(person, policy):
        return _refuse(Refusal.NOT_AN_APPROVER, f"may decide: {', '.join(policy.approvers)}")
    return None


def is_approver(person: Person, policy: Approval) -> bool:
    """True when the workflow's policy names the person or one of their groups."""
    mine = {f"group:{group}" for group in person.groups}
    by_name = {name.casefold() for name in policy.approvers if name.startswith("user:")}
    return not mine.isdisjoint(policy.approvers) or f"user:{person.decided_by}".casefold() in by_name


def is_requester(person: Person, head: Head) -> bool:
    """True when the person started the run under any of their names."""
    if head.requester is None:
        return False
    return head.requester.casefold() in {name.casefold() for name in person.names}


def _own_run(person: Person, head: Head, policy: Approval) -> Verdict | None:
    if policy.four_eyes and is_requester(person, head):
        return _refuse(Refusal.REQUESTER, f"{head.requester} started this run; somebody else decides on it")
    return None


def _unseen(proposal: Proposal, head: Head, policy: Approval) -> Verdict | None:
    if proposal.source_event_id not in {None, head.source_event_id, head.run_document_id}:
        return _refuse(Refusal.STALE_VIEW, "a newer attempt or event of this run is to be decided on")
    if proposal.artifacts_manifest_sha256 not in {None, head.artifacts_manifest_sha256}:
        return _refuse(Refusal.STALE_VIEW, "the data differ from those that were shown")
    if (
        policy.require_manifest
        and proposal.decision is Decision.APPROVED
        and head.artifacts_manifest_sha256 is None
    ):
        return _refuse(Refusal.NOT_PENDING, "without a manifest checksum this run cannot be approved")
    return None


def _pending(proposal: Proposal, head: Head) -> Verdict:
    if proposal.decision is Decision.REJECTED:
        return Verdict(Kind.ACCEPT, voters=(proposal.person.decided_by,))
    voters = {vote.voter for vote in head.votes} | {str(vote.event["event_id"]) for vote in head.votes}
    if not voters.isdisjoint({proposal.person.principal, proposal.event_id}):
        return Verdict(Kind.VOTED, why=f"{len(head.votes)} of {head.required} votes")
    names = [str(vote.event["decided_by"]) for vote in head.votes] + [proposal.person.decided_by]
    if len(names) >= head.required:
        return Verdict(Kind.ACCEPT, voters=names)
    return Verdict(Kind.VOTE, why=f"{len(names)} of {head.required} votes")


def _against(proposal: Proposal, final: Final) -> Verdict:
    if proposal.event_id == final.event_id:
        return Verdict(Kind.REPEAT)
    same = proposal.decision.value == final.decision
    if same or (proposal.decision is Decision.REJECTED and final.decision == "EXPIRED"):
        return Verdict(Kind.SUPERFLUOUS, why=f"{final.decision} was final before")
    return Verdict(Kind.CONFLICT, why=f"{final.decision} was final before")


def _refuse(refusal: Refusal, why: str) -> Verdict:
    return Verdict(Kind.REFUSED, refusal, why)


def asks_for_approval(run: JobCompleted) -> bool:
    """True for a run whose data wait for somebody's decision."""
    return (
        run.status is Status.PENDING_APPROVAL
        and run.failure_type is FailureType.QUALITY
        and run.artifacts_available
    )


def expires_at(published: datetime, opened_at: datetime, policy: Approval) -> datetime:
    """End of the term; a message that was late still leaves a quarter of it."""
    term = timedelta(hours=policy.expires_after_hours)
    return max(published + term, opened_at + term / 4)


def clean_reason(text: str) -> str | None:
    """The reason as it is kept: trimmed, NFC, without control characters; None if too short or too long."""
    kept = "".join(char for char in unicodedata.normalize("NFC", text) if _printable(char)).strip()
    return kept if REASON_MIN <= len(kept) <= REASON_MAX else None


def _printable(char: str) -> bool:
    return unicodedata.category(char) != "Cc" or char in "\n\t"
