"""What API and console share: find the newest attempt, decide on it, say what went wrong."""

import hashlib
from dataclasses import dataclass

from dwh_contracts.approvals import Channel, Decision
from dwh_contracts.canonical import JsonObject, canonical_json
from dwh_contracts.times import format_time
from dwh_eventstore import Store, views

from dwh_approvals.decide import Kind, Person, clean_reason
from dwh_approvals.deciding import Decisions, Draft, Ruling
from dwh_approvals.opening import Openings
from dwh_approvals.problems import Problem, Slug
from dwh_approvals.records import DecisionClaim, RunKey


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for, and what they saw when they did."""

    decision: Decision
    reason: str
    channel: Channel
    source_event_id: str | None = None
    artifacts_manifest_sha256: str | None = None
    if_match: str | None = None


class Desk:
    """One decision by one person on the newest attempt of one run."""

    def __init__(self, store: Store, openings: Openings, decisions: Decisions) -> None:
        self._store = store
        self._openings = openings
        self._decisions = decisions

    async def run(self, job_name: str, job_run_id: str) -> JsonObject:
        """The run's document as it is now.

        Raises:
            Problem: not-found.
        """
        run = await views.show_run(self._store, job_name, job_run_id)
        if run is None or not run["known"]:
            raise Problem(Slug.NOT_FOUND, f"no run {job_run_id} of {job_name} is known")
        return run

    async def approval(self, job_name: str, job_run_id: str) -> JsonObject:
        """The document of a run that waits or waited for a decision.

        Raises:
            Problem: not-found.
        """
        run = await self.run(job_name, job_run_id)
        if run["approval_status"] is None and run["status"] == "PENDING_APPROVAL":
            await self._openings.open_if_waiting(run)
            run = await self.run(job_name, job_run_id)
        if run["approval_status"] is None:
            raise Problem(Slug.NOT_FOUND, f"the run {job_run_id} of {job_name} asks for no decision")
        return run

    async def decide(self, person: Person, job_name: str, job_run_id: str, wish: Wish) -> Ruling:
        """Decide, or say by a Problem why not.

        Raises:
            Problem: every refusal of the API's table.
        """
        reason = clean_reason(wish.reason)
        if reason is None:
            raise Problem(Slug.INVALID_REASON, "say why in 10 to 2,000 characters")
        run = await self.run(job_name, job_run_id)
        if run["status"] == "PENDING_APPROVAL" and run["approval_status"] is None:
            await self._openings.open_if_waiting(run)
        if wish.if_match is not None and wish.if_match not in {"*", etag(run)}:
            raise Problem(Slug.PRECONDITION_FAILED, "the run changed since you read it")
        ruling = await self._decisions.decide(
            Draft(
                key=await self._key(run),
                decision=wish.decision,
                reason=reason,
                person=person,
                channel=wish.channel,
                source_event_id=wish.source_event_id,
                artifacts_manifest_sha256=wish.artifacts_manifest_sha256,
            )
        )
        return _or_problem(ruling)

    async def _key(self, run: JsonObject) -> RunKey:
        key = RunKey.of(run)
        newest = await self._openings.newest_attempt(key)
        return RunKey(key.environment, key.job_name, key.job_run_id, max(key.attempt, newest))


def _or_problem(ruling: Ruling) -> Ruling:
    verdict = ruling.verdict
    if verdict.refusal is not None:
        raise Problem(Slug.named(verdict.refusal.value), verdict.why)
    if ruling.kind is Kind.UNKNOWN:
        raise Problem(Slug.NOT_PENDING, "this run is not open for a decision yet; try again in a moment")
    if ruling.kind in {Kind.SUPERFLUOUS, Kind.CONFLICT} and ruling.winner is not None:
        winner = ruling.winner
        detail = f"{winner.decision} by {winner.event['decided_by']} was final before"
        raise Problem(Slug.ALREADY_DECIDED, detail, {"winner": _winner(winner)})
    return ruling


def _winner(winner: DecisionClaim) -> JsonObject:
    return {
        "decision": winner.decision,
        "decided_by": winner.event["decided_by"],
        "timestamp": winner.event.get("timestamp") or format_time(winner.created_at),
        "event_id": winner.event_id,
    }


def etag(run: JsonObject) -> str:
    """Strong: changes with anything that is shown, the approval included."""
    return f'"{hashlib.sha256(canonical_json(run)).hexdigest()[:32]}"'
