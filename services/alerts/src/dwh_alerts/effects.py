"""Change incidents by compare-and-set, then do what the change asks for, once.

Order: head (with the facts and messages it causes) → facts in the store → each message under its claim →
both taken out of the head. A message from the queue may be deleted once the head is stored: whatever
dies later is finished from the head by the timer. Every write is a create or a compare-and-set.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dwh_contracts import facts, ids
from dwh_contracts.alerts import AlertMessage
from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.events import JobCompleted
from dwh_contracts.parse import Event, event_from_body
from dwh_eventstore import Documents, EventLog, ReadModels, StoreUnavailable, Versioned
from dwh_runtime.logging import get_logger
from dwh_runtime.metrics import OPEN_INCIDENTS
from dwh_runtime.outcomes import Retry
from pydantic import JsonValue, ValidationError

from dwh_alerts import metrics
from dwh_alerts.decide import RING_SIZE, Signal, Step, apply
from dwh_alerts.incident import Delivery, Head, Incident, Outcome, Outgoing, Said, State, Transition
from dwh_alerts.render import announcement, closing, dumped
from dwh_alerts.routes import Routes, Severity
from dwh_alerts.settings import SERVICE
from dwh_alerts.sinks import Deliveries, notification_fact
from dwh_alerts.turns import Turns

log = get_logger(__name__)

CAS_ATTEMPTS = 20
CAS_JITTER_SECONDS = 0.05
BUSY_SECONDS = (1.0, 5.0)
"""When a message whose head was busy is handed back: between the two, so that rivals part."""

MOST_LOOKS = 5
"""How often a handler looks for what others have added to the head it sends for; the timer does the rest."""
TIMER_GRACE = timedelta(seconds=2)
TIMER_HEADS = 200
COUNT_SECONDS = 15.0
COUNTED_INCIDENTS = 1_000

Record = Callable[[Sequence[Event]], Awaitable[object]]
"""`Store.record`: append, then fold."""


@dataclass(frozen=True, eq=False, slots=True)
class _Wanted:
    """What a handler wants applied; two copies of one event are two."""

    signal: Signal
    run: JobCompleted | None


class Heads:
    """The incident heads in `effects-v1`."""

    def __init__(
        self, documents: Documents, events: EventLog, routes: Routes, clock: Clock, *, environment: str
    ) -> None:
        self._environment = environment
        self._documents = documents
        self._events = events
        self._routes = routes
        self._clock = clock
        self._turns = Turns[_Wanted]()

    async def apply(self, signal: Signal, run: JobCompleted | None) -> str:
        """Apply a signal to its head and return the head's key; what follows is durable on return.

        Raises:
            Retry: too many others changed the same head meanwhile.
        """
        key = head_key(signal.incident_key)
        mine = _Wanted(signal, run)
        async with self._turns.with_all(key, mine) as together:
            if together:
                await self._change(key, mine, together)
        return key

    async def _change(self, key: str, mine: _Wanted, together: list[_Wanted]) -> None:
        """Apply all that wait for a head in one write; takes out of `together` what must be met alone."""
        for _ in range(CAS_ATTEMPTS):
            stored = await self._documents.get(key)
            head = head_of(stored) if stored else Head(incident_key=mine.signal.incident_key)
            steps = []
            for wanted in tuple(together):
                if await self._applied(head, wanted.signal):
                    continue
                try:
                    step = self._step(head, wanted)
                except Exception:
                    if wanted is mine:
                        raise
                    together.remove(wanted)  # its own handler meets the error
                    continue
                head = step.head
                steps.append((wanted.signal, step))
            if not steps:
                return
            if await self._write(key, stored, head):
                for signal, step in steps:
                    _count(signal, step)
                return
        raise _busy(key)

    def _step(self, head: Head, wanted: _Wanted) -> Step:
        now = self._clock.now()
        step = apply(head, wanted.signal, now=now, routes=self._routes)
        left = planned(step, wanted.signal, wanted.run, now=now, routes=self._routes)
        return replace(step, head=left)

    async def get(self, key: str) -> Head | None:
        """The head as it stands."""
        stored = await self._documents.get(key)
        return head_of(stored) if stored else None

    async def unfinished(self) -> list[tuple[str, Head]]:
        """Heads with facts or messages still to go out."""
        mine: JsonObject = {"kind": "incident", "state": "pending", "environment": self._environment}
        found = await self._documents.find(mine, limit=TIMER_HEADS)
        heads = []
        for stored in found:
            try:
                heads.append((stored.key, head_of(stored)))
            except ValidationError as error:
                log.error("head_not_readable", head=stored.key, error=str(error))
        return heads

    async def forget(self, key: str, done: set[str]) -> None:
        """Take facts (by event id) and messages (by effect key) that are done out of a head."""
        async with self._turns.alone(key):
            for _ in range(CAS_ATTEMPTS):
                stored = await self._documents.get(key)
                if stored is None:
                    return
                head = head_of(stored)
                left = head.model_copy(
                    update={
                        "facts": tuple(fact for fact in head.facts if fact["event_id"] not in done),
                        "outgoing": tuple(message for message in head.outgoing if message.key not in done),
                    }
                )
                if left == head or await self._write(key, stored, left):
                    return
            raise _busy(key)

    async def _write(self, key: str, stored: Versioned | None, head: Head) -> bool:
        body = body_of(head) | {"environment": self._environment}
        if stored is None:
            written = await self._documents.create(key, body)
        else:
            written = await self._documents.replace(stored, body)
        if not written:
            await self._clock.sleep(random.uniform(0, CAS_JITTER_SECONDS))  # noqa: S311 - parts contenders
        return written

    async def _applied(self, head: Head, signal: Signal) -> bool:
        if signal.cause.event_id in head.ring:
            return True
        if len(head.ring) < RING_SIZE or signal.raised is None:
            return False
        # A full ring forgets; the store does not. A clear may be applied twice without a difference.
        known = await self._events.find(
            "effect", {"event_type": "incident_transition", "input_event_id": signal.cause.event_id}
        )
        return any(_incident_key(each) == signal.incident_key for each in known)


class Outbox:
    """Sends what heads hold: facts to the store, messages to their sinks, in order of rev for each sink."""

    def __init__(self, heads: Heads, record: Record, deliveries: Deliveries, clock: Clock) -> None:
        self._heads = heads
        self._record = record
        self._deliveries = deliveries
        self._clock = clock
        self._look_again: dict[str, bool] = {}
        """Heads being sent for, and whether something was added meanwhile."""
        # A timer that never ran is as silent as one that stopped: its age counts from here.
        metrics.TIMER_LAST_RUN.labels(SERVICE).set(clock.now().timestamp())

    async def flush(self, key: str) -> None:
        """Send what the head at `key` holds; what cannot be sent now stays there for the timer.

        Returns at once while another handler of this process sends for that head: that one looks again.
        """
        if key in self._look_again:
            self._look_again[key] = True
            return
        try:
            for _ in range(MOST_LOOKS):
                self._look_again[key] = False
                head = await self._heads.get(key)
                if head is not None:
                    await self._flush(key, head)
                if not self._look_again[key]:
                    return
        finally:
            self._look_again.pop(key, None)

    async def finish(self) -> None:
        """One look of the timer: finish what a process left behind, or a sink did not take."""
        now = self._clock.now()
        heads = await self._heads.unfinished()
        self._show(heads, now)
        for key, head in heads:
            if head.changed_at is not None and now - head.changed_at < TIMER_GRACE:
                continue  # its handler is still at it
            try:
                await self._flush(key, head)
            except StoreUnavailable:
                raise
            except Exception as error:
                log.error("head_not_finished", head=key, error=str(error), exc_info=error)
        metrics.TIMER_LAST_RUN.labels(SERVICE).set(self._clock.now().timestamp())

    def hide(self) -> None:
        """Show no figure of what waits: another replica looks from now on."""
        for sink in self._deliveries.sinks:
            metrics.NOTIFICATIONS_PENDING.remove(SERVICE, sink)
            metrics.NOTIFICATIONS_PENDING_AGE_SECONDS.remove(SERVICE, sink)

    async def _flush(self, key: str, head: Head) -> None:
        done: set[str] = set()
        if head.facts:
            await self._record([event_from_body(fact) for fact in head.facts])
            done |= {str(fact["event_id"]) for fact in head.facts}
        waiting: set[str] = set()
        for outgoing in head.outgoing:
            sink = outgoing.delivery.sink
            if sink in waiting:
                continue
            try:
                await self._deliveries.perform(outgoing)
                done.add(outgoing.key)
            except Retry as retry:
                waiting.add(sink)
                log.info("delivery_waits", delivery=outgoing.key, why=retry.why)
        if done:
            await self._heads.forget(key, done)

    def _show(self, heads: Sequence[tuple[str, Head]], now: datetime) -> None:
        for sink in self._deliveries.sinks:
            pending = [
                o.caused_by.timestamp for _, head in heads for o in head.outgoing if o.delivery.sink == sink
            ]
            age = (now - min(pending)).total_seconds() if pending else 0.0
            metrics.NOTIFICATIONS_PENDING.labels(SERVICE, sink).set(len(pending))
            metrics.NOTIFICATIONS_PENDING_AGE_SECONDS.labels(SERVICE, sink).set(age)


class OpenIncidents:
    """How many incidents are not resolved, by severity; counted anew each 15 s."""

    def __init__(self, read_models: ReadModels, clock: Clock, *, environment: str) -> None:
        self._environment = environment
        self._read_models = read_models
        self._clock = clock
        self._due = clock.monotonic()

    async def show(self) -> None:
        """Count if it is time; more than 1,000 are shown as 1,000."""
        if self._clock.monotonic() < self._due:
            return
        self._due = self._clock.monotonic() + COUNT_SECONDS
        not_over: JsonObject = {
            "state": [State.OPEN.value, State.ACKNOWLEDGED.value],
            "environment": self._environment,
        }
        page = await self._read_models.search("job-alerts", not_over, limit=COUNTED_INCIDENTS)
        found = Counter(str(incident["severity"]) for incident in page.items)
        for severity in Severity:
            OPEN_INCIDENTS.labels(SERVICE, severity.value).set(found[severity.value])

    def hide(self) -> None:
        """Show no count until this replica counts again."""
        self._due = self._clock.monotonic()
        for severity in Severity:
            OPEN_INCIDENTS.remove(SERVICE, severity.value)


# --- what a step leaves to be done --------------------------------------------------------------------


def planned(step: Step, signal: Signal, run: JobCompleted | None, *, now: datetime, routes: Routes) -> Head:
    """The step's head with the facts and messages that must go out. Pure."""
    head, incident = step.head, step.head.incident
    if step.transition is None or incident is None:
        return head
    recorded = [transition_fact(incident, step.transition, signal, now)]
    recorded += [
        skipped_fact(incident, delivery, signal, now)
        for delivery in step.told
        if delivery.outcome is Outcome.SKIPPED_STALE
    ]
    to_send = [delivery for delivery in step.told if delivery.outcome is Outcome.PLANNED]
    said = _said(step, signal, run, incident, routes) if to_send else None
    outgoing = [
        Outgoing(
            incident_id=incident.incident_id,
            delivery=delivery,
            said=said,
            caused_by=signal.cause,
        )
        for delivery in to_send
        if said is not None
    ]
    return head.model_copy(
        update={
            "announced": said or head.announced,
            "facts": (*head.facts, *recorded),
            "outgoing": (*head.outgoing, *outgoing),
            "changed_at": now,
        }
    )


def _said(
    step: Step, signal: Signal, run: JobCompleted | None, incident: Incident, routes: Routes
) -> Said | None:
    """In what words: those of the run that was raised, or those last used, now over."""
    raised, delivery, before = step.raised, step.told[0], step.head.announced
    if step.transition is not Transition.RESOLVED and raised is not None and run is not None:
        links = routes.links(
            environment=incident.environment,
            job_name=incident.job_name,
            job_run_id=raised.job_run_id,
            rule=raised.rule,
        )
        manifest = run.artifacts_manifest
        message = announcement(run, incident, raised, delivery, links)
        return Said(
            message=dumped(message),
            run=signal.cause,
            artifacts_manifest_sha256=manifest.sha256 if manifest else None,
        )
    if before is None:
        return None
    message = closing(AlertMessage.model_validate(before.message), incident, delivery, signal)
    return before.model_copy(update={"message": dumped(message)})


def transition_fact(incident: Incident, transition: Transition, signal: Signal, now: datetime) -> JsonObject:
    """One change of an incident, with the incident as it then stood; `job-alerts` is a fold of these."""
    return facts.incident_transition(
        incident.model_dump(mode="json"),
        transition=transition.value,
        timestamp=now,
        now=max(now, signal.cause.timestamp),
        cause=signal.cause.model_dump(mode="json"),
        service=SERVICE,
        input_event_id=signal.cause.event_id,
    )


def skipped_fact(incident: Incident, delivery: Delivery, signal: Signal, now: datetime) -> JsonObject:
    """A message that an event came too late for."""
    return notification_fact(
        incident.incident_id,
        delivery,
        signal.cause,
        step="skipped",
        outcome="skipped_stale",
        timestamp=now,
    )


def _incident_key(transition: Event) -> JsonValue:
    incident = transition.body.get("incident")
    return incident.get("incident_key") if isinstance(incident, dict) else None


def _busy(key: str) -> Retry:
    # the rivals made progress and the message is sound: it must neither wait minutes nor be parked for it
    after = random.uniform(*BUSY_SECONDS)  # noqa: S311 - parts contenders
    return Retry(f"{key} is changed by too many at once", after=after, counted=False)


def _count(signal: Signal, step: Step) -> None:
    if step.transition is not None:
        rule = step.raised.rule if step.raised else signal.family
        metrics.TRANSITIONS.labels(SERVICE, step.transition.value, rule).inc()


def head_key(incident_key: str) -> str:
    """The id of the head's document."""
    return f"incident|{ids.digest(incident_key)}"


def head_of(stored: Versioned) -> Head:
    """The head in a stored document."""
    return Head.model_validate(stored.body)


def body_of(head: Head) -> JsonObject:
    """The document of a head; `state` is what the timer looks for."""
    pending = bool(head.facts or head.outgoing)
    body = head.model_dump(mode="json")
    return body | {
        "kind": "incident",
        "state": "pending" if pending else "idle",
        "created_at": body["changed_at"],
    }
