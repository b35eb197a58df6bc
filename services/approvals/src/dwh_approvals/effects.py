"""Make a decision final, once, and tell everybody; every step is a create or a compare-and-set.

The claim `decision|…` is the point of no return: whoever creates it wins, and everything after it can be
done again from the claim alone, by any replica. So a crash between any two steps is finished by
`finish_open`, and the message on the topic may come twice but always with the same id.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from dwh_contracts.approvals import Outcome
from dwh_contracts.attributes import attributes_of, subject_of
from dwh_contracts.canonical import JsonObject, canonical_json
from dwh_contracts.clock import Clock
from dwh_contracts.parse import event_from_body
from dwh_eventstore import Store, StoreError, StoreUnavailable, Versioned
from dwh_runtime.aws import AwsError, Topics
from dwh_runtime.logging import get_logger
from pydantic import ValidationError

from dwh_approvals.bodies import accepted_body, expired_body, requested_body, verdict_body
from dwh_approvals.metrics import CLAIMS_UNFINISHED, DECISION_WAIT_SECONDS
from dwh_approvals.records import DecisionClaim, Head, RunKey, State, VerdictClaim, Vote, verdict_key
from dwh_approvals.settings import SERVICE

log = get_logger(__name__)

FINISH_AFTER = timedelta(seconds=3)
LOOK_SECONDS = 1.0
_TRIES = 30
_AT_ONCE = 200


class Ledger:
    """Heads, claims and verdicts, and the facts and messages that follow from them."""

    def __init__(self, store: Store, topics: Topics, topic_arn: str, clock: Clock) -> None:
        self._store = store
        self._decisions = store.decisions
        self._topics = topics
        self._topic_arn = topic_arn
        self._clock = clock

    async def open(self, head: Head) -> Head:
        """Create the head, or find the one there is, and make its opening a fact."""
        if not await self._decisions.create(head.key.id("approval"), head.body):
            head = await self.head(head.key) or head
        else:
            log.info("approval_opened", expires_at=head.expires_at.isoformat())
        await self._store.record([event_from_body(requested_body(head))])
        return head

    async def head(self, key: RunKey) -> Head | None:
        """The opening with its votes, as it is now."""
        found = await self._decisions.get(key.id("approval"))
        return None if found is None else Head.model_validate(found.body)

    async def final(self, key: RunKey) -> DecisionClaim | None:
        """The claim of the decision that won, as it is now."""
        found = await self._decisions.get(key.id("decision"))
        return None if found is None else DecisionClaim.model_validate(found.body)

    async def claim(self, head: Head, event: JsonObject, voters: Sequence[str], config_version: str) -> bool:
        """Try to make this event the final one; False when another is."""
        claim = DecisionClaim(
            **head.key.fields,
            created_at=self._clock.now(),
            event=event,
            source_event_id=head.source_event_id,
            source_timestamp=head.source_timestamp,
            artifacts_manifest_sha256=head.artifacts_manifest_sha256,
            config_version=config_version,
            voters=tuple(voters),
            opened_at=head.opened_at,
        )
        won = await self._decisions.create(head.key.id("decision"), claim.body)
        if won:
            waited = (claim.created_at - head.opened_at).total_seconds()
            DECISION_WAIT_SECONDS.labels(SERVICE).observe(max(waited, 0.0))
            log.info("decision_accepted", decision=claim.decision, decided_by=event["decided_by"])
        return won

    async def expire(self, head: Head, decided_by: str) -> None:
        """Close an approval in the name of the clock or of a newer attempt, unless somebody decided."""
        event = expired_body(head, decided_by, self._clock.now())
        if await self.claim(head, event, (), head.config_version):
            await self.finish(head.key)

    async def finish(self, key: RunKey) -> None:
        """Do what is left to do of the accepted decision; doing it again changes nothing."""
        stored = await self._decisions.get(key.id("decision"))
        if stored is None:
            return
        claim = DecisionClaim.model_validate(stored.body)
        if claim.state == "done":
            return
        # A decision stored before under this id, from an early message, stays as it is.
        await self._store.record([event_from_body(claim.event), event_from_body(accepted_body(claim))])
        await self._close(key, claim.decision)
        await self.publish(claim.event)
        done = claim.model_copy(update={"state": "done", "done_at": self._clock.now()})
        await self._decisions.replace(stored, done.body)

    async def publish(self, event: JsonObject) -> None:
        """Put an event of ours on the topic job-approvals."""
        await self._topics.publish(
            self._topic_arn, canonical_json(event), attributes_of(event), subject_of(event)
        )

    async def vote(self, key: RunKey, vote: Vote, why: str) -> bool:
        """Add a vote to a pending head and tell of it; False when the head changed hands meanwhile."""
        stored = await self._decisions.get(key.id("approval"))
        if stored is None:
            return False
        head = Head.model_validate(stored.body)
        if head.state != "PENDING" or any(known.voter == vote.voter for known in head.votes):
            return False
        if len(head.votes) + 1 >= head.required:
            return False
        voted = head.model_copy(update={"votes": (*head.votes, vote)})
        if not await self._decisions.replace(stored, voted.body):
            return False
        await self.tell_vote(key, vote, why)
        return True

    async def tell_vote(self, key: RunKey, vote: Vote, why: str) -> None:
        """Make a vote's facts durable, then remember that they are."""
        await self.verdict(vote.event, Outcome.VOTE, why)

        def told(head: Head) -> Head:
            votes = tuple(
                known.model_copy(update={"told": known.told or known.voter == vote.voter})
                for known in head.votes
            )
            return head.model_copy(update={"votes": votes})

        await self._change(key, told)

    async def verdict(self, event: JsonObject, outcome: Outcome, reason: str) -> VerdictClaim:
        """Say of a decision that it is not the final one; the first thing said stays."""
        key = RunKey.of(event)
        claim = VerdictClaim(
            **key.fields,
            created_at=self._clock.now(),
            event_id=str(event["event_id"]),
            event=event,
            outcome=outcome,
            reason=reason,
        )
        await self._decisions.create(verdict_key(claim.event_id), claim.body)
        stored = await self._decisions.get(verdict_key(claim.event_id))
        if stored is None:
            raise StoreUnavailable(f"the verdict on {claim.event_id} is not to be found")
        return await self._finish_verdict(stored)

    async def _finish_verdict(self, stored: Versioned) -> VerdictClaim:
        claim = VerdictClaim.model_validate(stored.body)
        if claim.state == "done":
            return claim
        facts = [verdict_body(claim)]
        if claim.event["event_type"] == "approval_decision":
            # A stranger's event of another type stays in the claim: as an event it would be folded.
            facts = [claim.event, *facts]
        await self._store.record([event_from_body(fact) for fact in facts])
        done = claim.model_copy(update={"state": "done", "done_at": self._clock.now()})
        await self._decisions.replace(stored, done.body)
        return done

    async def finish_open(self) -> None:
        """Finish every claim that its own process left open; one that fails does not stop the others."""
        mine: JsonObject = {"environment": self._store.environment, "state": "open"}
        found = await self._decisions.find({"kind": ["decision", "verdict"], **mine}, limit=_AT_ONCE)
        CLAIMS_UNFINISHED.labels(SERVICE).set(len(found))
        oldest = self._clock.now() - FINISH_AFTER
        for stored in found:
            try:
                key = RunKey.of(stored.body)
                if stored.body["kind"] == "decision":
                    if DecisionClaim.model_validate(stored.body).created_at <= oldest:
                        log.info("claim_taken_up", claim=stored.key)
                        await self.finish(key)
                elif VerdictClaim.model_validate(stored.body).created_at <= oldest:
                    await self._finish_verdict(stored)
            except (StoreError, AwsError, ValidationError) as error:
                log.warning("claim_not_finished", claim=stored.key, error=str(error))

    async def run(self) -> None:
        """Look for open claims every second, at every replica, until cancelled."""
        while True:
            try:
                await self.finish_open()
            except StoreError as error:
                log.warning("claims_not_read", error=str(error))
            await self._clock.sleep(LOOK_SECONDS)

    async def _close(self, key: RunKey, state: State) -> None:
        await self._change(key, lambda head: head.model_copy(update={"state": state}))

    async def _change(self, key: RunKey, change: Callable[[Head], Head]) -> None:
        """Write a changed head over whatever version there is."""
        for _ in range(_TRIES):
            stored = await self._decisions.get(key.id("approval"))
            if stored is None:
                return
            head = Head.model_validate(stored.body)
            changed = change(head)
            if changed == head or await self._decisions.replace(stored, changed.body):
                return
        raise StoreUnavailable(f"{key.id('approval')} changed hands {_TRIES} times")
