"""What the clock does: remind at 50 % and 90 % of a term, close at its end, tell votes left untold.

Runs under the lease `lease|approvals-timer|<environment>`. A holder that stalls may overlap with its
successor: every step here is a create or a compare-and-set, so it still happens once.
"""

from datetime import datetime

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.parse import event_from_body
from dwh_contracts.times import format_time
from dwh_eventstore import Store, StoreError, Versioned
from dwh_runtime.aws import AwsError
from dwh_runtime.logging import get_logger
from dwh_runtime.metrics import PENDING_APPROVALS
from pydantic import ValidationError

from dwh_approvals.bodies import reminder_body
from dwh_approvals.effects import FINISH_AFTER, Ledger
from dwh_approvals.metrics import OLDEST_PENDING_SECONDS, REMINDERS
from dwh_approvals.records import Head
from dwh_approvals.settings import SERVICE

log = get_logger(__name__)

STAGES = (50, 90)
_AT_ONCE = 10_000


def _readable(stored: Versioned) -> Head | None:
    try:
        return Head.model_validate(stored.body)
    except ValidationError as error:
        log.error("head_not_readable", head=stored.key, error=str(error))
        return None


class Expiry:
    """One look at all pending approvals."""

    def __init__(self, store: Store, ledger: Ledger, clock: Clock) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock

    async def tick(self) -> None:
        """Do everything that is due; one approval that fails does not hold up the others."""
        mine: JsonObject = {"environment": self._store.environment, "state": "PENDING"}
        found = await self._store.decisions.find({"kind": "approval", **mine}, limit=_AT_ONCE)
        heads = [head for stored in found if (head := _readable(stored)) is not None]
        now = self._clock.now()
        PENDING_APPROVALS.labels(SERVICE).set(len(heads))
        waiting = [(now - head.opened_at).total_seconds() for head in heads]
        OLDEST_PENDING_SECONDS.labels(SERVICE).set(max(waiting, default=0.0))
        for head in heads:
            try:
                await self._look_at(head, now)
            except (StoreError, AwsError) as error:
                log.warning("approval_not_looked_after", error=str(error), **head.key.fields)

    def hide(self) -> None:
        """Show no figure of what is pending: another replica looks from now on."""
        PENDING_APPROVALS.remove(SERVICE)
        OLDEST_PENDING_SECONDS.remove(SERVICE)

    async def _look_at(self, head: Head, now: datetime) -> None:
        await self._tell_votes(head)
        if now >= head.expires_at:
            await self._ledger.expire(head, "system:expiry")
            return
        for stage in STAGES:
            if now >= head.due(stage):
                await self._remind(head, stage)

    async def _remind(self, head: Head, stage: int) -> None:
        """Send the reminder of a stage; the claim holds the event and says when it is sent."""
        key = f"{head.key.id('reminder')}|{stage}"
        stored = await self._store.decisions.get(key)
        if stored is None:
            event = reminder_body(head, stage, self._clock.now())
            body: JsonObject = {
                "kind": "reminder",
                "state": "open",
                **head.key.fields,
                "created_at": format_time(self._clock.now()),
                "event_id": event["event_id"],
                "event": event,
            }
            await self._store.decisions.create(key, body)
            stored = await self._store.decisions.get(key)
        if stored is None or stored.body["state"] == "done":
            return
        claimed = stored.body["event"]
        if not isinstance(claimed, dict):
            raise TypeError(f"{key} holds no event")
        await self._store.record([event_from_body(claimed)])
        await self._ledger.publish(claimed)
        await self._store.decisions.replace(stored, {**stored.body, "state": "done"})
        REMINDERS.labels(SERVICE, str(stage)).inc()
        log.info("reminder_sent", stage=stage, **head.key.fields)

    async def _tell_votes(self, head: Head) -> None:
        oldest = self._clock.now() - FINISH_AFTER
        for place, vote in enumerate(head.votes, start=1):
            if not vote.told and vote.at <= oldest:
                await self._ledger.tell_vote(head.key, vote, f"{place} of {head.required} votes")
