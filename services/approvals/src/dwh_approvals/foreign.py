"""Messages on job-approvals: our own copies are acknowledged, others pass the rules that people pass.

A topic proves no author: whatever its body says, such a decision is unverified, of no principal, and came
by the topic. What is ours is known by the claim that was made before it was published.
"""

from dataclasses import replace
from typing import Any

from dwh_contracts.approvals import ApprovalDecision, Channel, Decision, Outcome
from dwh_contracts.canonical import JsonObject
from dwh_contracts.parse import Event, event_from_body
from dwh_contracts.quarantine import QuarantineReason
from dwh_eventstore import Store, Versioned
from dwh_runtime.outcomes import Poison

from dwh_approvals.bodies import refused_body
from dwh_approvals.decide import Person, clean_reason
from dwh_approvals.deciding import Decisions, Draft
from dwh_approvals.effects import Ledger
from dwh_approvals.identity import Unknown, local_person
from dwh_approvals.records import RunKey


class Foreign:
    """What follows from a message on the topic."""

    def __init__(self, store: Store, ledger: Ledger, decisions: Decisions) -> None:
        self._store = store
        self._ledger = ledger
        self._decisions = decisions

    async def on_message(self, event: Event) -> None:
        """Acknowledge our own copy, judge a decision, refuse everything else.

        Raises:
            Poison: a decision without a reason or a name that could be kept.
        """
        if isinstance(event.model, ApprovalDecision):
            draft = draft_of(event)
            final = await self._ledger.final(draft.key)
            if final is None or final.event_id != draft.event_id:
                await self._decisions.decide(draft)
        elif not await self._ours(event):
            refused = refused_body(event.body, event.content_hash)
            why = f"nobody but this service says {event.event_type}"
            await self._ledger.verdict(refused, Outcome.REFUSED, why)

    async def judge_early(self, key: RunKey) -> None:
        """Judge what came before its run, in the order of time, then id."""
        where: JsonObject = {"kind": "early", "state": "open", **key.fields}
        found = await self._store.decisions.find(where)
        waiting = [(event_from_body(_event_of(stored)), stored) for stored in found]
        for event, stored in sorted(waiting, key=lambda item: (item[0].timestamp, item[0].event_id)):
            content = stored.body.get("message_hash")
            await self._decisions.decide(draft_of(event, content if isinstance(content, str) else None))
            await self._store.decisions.replace(stored, {**stored.body, "state": "done"})

    async def _ours(self, event: Event) -> bool:
        key = _key(event)
        if event.event_type == "approval_expired":
            final = await self._ledger.final(key)
            return final is not None and final.event == event.body
        if event.event_type == "approval_reminder":
            reminder = await self._store.decisions.get(f"{key.id('reminder')}|{event.body.get('stage')}")
            return reminder is not None and reminder.body.get("event") == event.body
        return False


def draft_of(event: Event, message_hash: str | None = None) -> Draft:
    """The draft of a decision that came by the topic.

    Raises:
        Poison: its reason or its author's name cannot be kept.
    """
    model = event.model
    if not isinstance(model, ApprovalDecision):
        raise TypeError(f"{event.event_type} is no decision")
    reason = clean_reason(model.reason)
    if reason is None:
        raise Poison(QuarantineReason.WRONG_TYPE, "reason", "too little is left of it")
    person = _person(model.decided_by)
    draft = Draft(
        key=_key(event),
        decision=Decision(model.decision),
        reason=reason,
        person=person,
        channel=Channel.TOPIC,
        source_event_id=model.source_event_id,
        artifacts_manifest_sha256=model.artifacts_manifest_sha256,
        message_hash=message_hash or event.content_hash,
    )
    message: JsonObject = {
        **event.body,
        "event_id": draft.event_id,
        "reason": reason,
        "decided_by_verified": False,
        "principal": None,
        "channel": Channel.TOPIC.value,
    }
    return replace(draft, message=message)


def _person(name: str) -> Person:
    try:
        return local_person(name, verified=False)
    except Unknown as unknown:
        raise Poison(QuarantineReason.BAD_NAME, "decided_by", str(unknown)) from None


def _key(event: Event) -> RunKey:
    return RunKey(event.environment, event.job_name, event.job_run_id, event.attempt)


def _event_of(stored: Versioned) -> JsonObject:
    event: Any = stored.body["event"]
    return dict(event)
