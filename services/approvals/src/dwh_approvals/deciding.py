"""Judge a decision against the state of its approval, and make the verdict durable.

Every look is a realtime read and every change a create or a compare-and-set, so any number of people,
replicas and clocks may decide at once: whoever loses a race looks again and is judged by what they find.
"""

from dataclasses import dataclass, replace

from dwh_contracts.approvals import Channel, Decision, Outcome
from dwh_contracts.canonical import JsonObject, content_hash
from dwh_contracts.clock import Clock
from dwh_contracts.ids import approval_decision_id, job_event_id
from dwh_contracts.parse import event_from_body
from dwh_contracts.times import format_time
from dwh_contracts.workflow import WorkflowConfig
from dwh_eventstore import Store, StoreUnavailable
from dwh_runtime.aws import AwsError
from dwh_runtime.config_source import ConfigSource
from dwh_runtime.logging import get_logger

from dwh_approvals.bodies import decision_body, refused_body
from dwh_approvals.decide import Final, Kind, Person, Proposal, Situation, Verdict, judge
from dwh_approvals.effects import Ledger
from dwh_approvals.metrics import DECISIONS
from dwh_approvals.opening import policy_of
from dwh_approvals.records import DecisionClaim, Head, RunKey, Vote, early_key
from dwh_approvals.settings import SERVICE

log = get_logger(__name__)

_TRIES = 100
_NO_DECISION_ASKED = frozenset({"SUCCESS", "FAILED"})
_OUTCOMES = {
    Kind.SUPERFLUOUS: Outcome.SUPERFLUOUS,
    Kind.CONFLICT: Outcome.CONFLICT,
}


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person wants; `message` is the whole event where it came by the topic."""

    key: RunKey
    decision: Decision
    reason: str
    person: Person
    channel: Channel
    source_event_id: str | None = None
    artifacts_manifest_sha256: str | None = None
    message: JsonObject | None = None
    message_hash: str | None = None

    @property
    def event_id(self) -> str:
        """Computed; an id that was brought is ignored."""
        return approval_decision_id(*_parts(self.key), self.decision.value, self.person.decided_by)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What became of a draft."""

    verdict: Verdict
    event: JsonObject | None = None
    head: Head | None = None
    winner: DecisionClaim | None = None

    @property
    def kind(self) -> Kind:
        """What was done."""
        return self.verdict.kind


class Decisions:
    """Steps 1 to 4 of a decision, for people and for the topic alike."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        configs: ConfigSource[WorkflowConfig],
        clock: Clock,
        *,
        unverified_allowed: bool,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._configs = configs
        self._clock = clock
        self._unverified_allowed = unverified_allowed

    async def decide(self, draft: Draft) -> Ruling:
        """Judge the draft until a verdict is durable.

        Raises:
            StoreUnavailable: nothing is lost; the same draft again meets what was done.
        """
        for _ in range(_TRIES):
            ruling = await self._once(draft)
            if ruling is not None:
                DECISIONS.labels(SERVICE, draft.decision.value, draft.channel.value, ruling.kind.value).inc()
                return ruling
        raise StoreUnavailable(f"{draft.key.id('approval')} changed hands {_TRIES} times")

    async def _once(self, draft: Draft) -> Ruling | None:
        """One look and one step; None when somebody else was faster."""
        in_force = self._configs.current()
        head = await self._ledger.head(draft.key)
        winner = await self._ledger.final(draft.key) if head else None
        verdict = judge(
            _proposal(draft),
            Situation(
                run_known=head is not None or await self._asks_nobody(draft.key),
                head=head,
                final=Final(winner.event_id, winner.decision) if winner else None,
            ),
            policy_of(in_force.config, draft.key.job_name),
            unverified_allowed=self._unverified_allowed,
        )
        event = self._event(draft, head)
        ruling = Ruling(verdict, event, head, winner)
        match verdict.kind:
            case Kind.ACCEPT if head is not None:
                return await self._accept(ruling, head, event, in_force.version)
            case Kind.VOTE:
                vote = Vote(voter=draft.person.principal, at=self._clock.now(), event=event)
                return ruling if await self._ledger.vote(draft.key, vote, verdict.why) else None
            case Kind.REFUSED:
                return await self._refuse(ruling, draft, event)
            case Kind.SUPERFLUOUS | Kind.CONFLICT:
                await self._ledger.verdict(event, _OUTCOMES[verdict.kind], verdict.why)
            case Kind.UNKNOWN if draft.message is not None:
                return await self._keep(ruling, draft, event)
            case _:
                pass
        return ruling

    async def _accept(
        self, ruling: Ruling, head: Head, event: JsonObject, config_version: str
    ) -> Ruling | None:
        if not await self._ledger.claim(head, event, ruling.verdict.voters, config_version):
            return None
        try:
            await self._ledger.finish(head.key)
        except AwsError as error:
            # It is final; the open claim is taken up within seconds.
            log.warning("decision_not_published_yet", error=str(error))
        return replace(ruling, winner=await self._ledger.final(head.key))

    async def _refuse(self, ruling: Ruling, draft: Draft, event: JsonObject) -> Ruling:
        refused = refused_body(event, draft.message_hash or content_hash(event))
        why = f"{ruling.verdict.refusal}: {ruling.verdict.why}"
        await self._ledger.verdict(refused, Outcome.REFUSED, why)
        return replace(ruling, event=refused)

    async def _keep(self, ruling: Ruling, draft: Draft, event: JsonObject) -> Ruling | None:
        """Keep a decision for when its run arrives; None when it arrived just now."""
        body: JsonObject = {
            "kind": "early",
            "state": "open",
            **draft.key.fields,
            "created_at": format_time(self._clock.now()),
            "event_id": draft.event_id,
            "message_hash": draft.message_hash,
            "event": event,
        }
        await self._store.decisions.create(early_key(draft.event_id), body)
        await self._store.record([event_from_body(event)])
        return ruling if await self._ledger.head(draft.key) is None else None

    async def _asks_nobody(self, key: RunKey) -> bool:
        """True for a run that is known to have ended without a question."""
        run = await self._store.read_models.get("job-events", job_event_id("job_completed", *_parts(key)))
        return run is not None and run.get("status") in _NO_DECISION_ASKED

    def _event(self, draft: Draft, head: Head | None) -> JsonObject:
        if draft.message is not None:
            return draft.message
        return decision_body(
            draft.key,
            self._clock.now(),
            decision=draft.decision.value,
            decided_by=draft.person.decided_by,
            decided_by_verified=draft.person.verified,
            principal=draft.person.principal,
            channel=draft.channel.value,
            reason=draft.reason,
            source_event_id=head.source_event_id if head else draft.source_event_id,
            artifacts_manifest_sha256=(
                head.artifacts_manifest_sha256 if head else draft.artifacts_manifest_sha256
            ),
        )


def _parts(key: RunKey) -> tuple[str, str, str, int]:
    return key.environment, key.job_name, key.job_run_id, key.attempt


def _proposal(draft: Draft) -> Proposal:
    return Proposal(
        draft.event_id,
        draft.decision,
        draft.person,
        draft.source_event_id,
        draft.artifacts_manifest_sha256,
    )
