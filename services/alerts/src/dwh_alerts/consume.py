"""From a message to signals, and on to the incidents they concern.

A job event acts as it is stored, never as it was sent. An approval event acts only when the
accepted-decision claim names it, and run and decision are taken from there (G6); while neither claim nor
verdict names it, it is a `Retry`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dwh_contracts.canonical import JsonObject
from dwh_contracts.event_ids import expected_event_id
from dwh_contracts.events import JobCompleted
from dwh_contracts.ids import approval_refused_id
from dwh_contracts.parse import Event, event_from_body
from dwh_eventstore import Documents
from dwh_runtime.broker import subscription
from dwh_runtime.intake import Intake, Origin
from dwh_runtime.logging import get_logger
from dwh_runtime.outcomes import Retry
from dwh_runtime.stored import StoredRuns
from faststream_sqs import SQSBroker
from faststream_sqs.annotations import Message

from dwh_alerts.decide import Signal, signals_of_decision, signals_of_run
from dwh_alerts.metrics import EVENTS_IGNORED
from dwh_alerts.settings import SERVICE, Settings

log = get_logger(__name__)


class Heads(Protocol):
    """The incident heads; `dwh_alerts.effects.Heads`."""

    async def apply(self, signal: Signal, run: JobCompleted | None) -> str:
        """Apply a signal durably and return the head's key."""
        ...


class Outbox(Protocol):
    """What heads want sent; `dwh_alerts.effects.Outbox`."""

    async def flush(self, key: str) -> None:
        """Send what the head holds, as far as it goes."""
        ...


@dataclass(frozen=True, slots=True)
class Consumer:
    """What handling a message needs; `app.build` puts it together."""

    decisions: Documents
    heads: Heads
    outbox: Outbox
    runs: StoredRuns

    async def on_event(self, event: Event, origin: Origin) -> None:  # noqa: ARG002 - the intake's shape
        """Apply what the event says, then send what follows."""
        if isinstance(event.model, JobCompleted):
            event = await self.runs.get(event.event_id, event.timestamp)
        run = event.model if isinstance(event.model, JobCompleted) else None
        signals = signals_of_run(event, run) if run else await self._decision(event)
        if not signals:
            EVENTS_IGNORED.labels(SERVICE, event.event_type).inc()
            return
        keys = [await self.heads.apply(signal, run) for signal in signals]
        for key in keys:
            await self.outbox.flush(key)

    async def _decision(self, event: Event) -> Sequence[Signal]:
        if event.event_type not in {"approval_decision", "approval_expired"}:
            return ()
        run_key = f"{event.environment}|{event.job_name}|{event.job_run_id}|{event.attempt}"
        # Anyone may put a message on the topic: a decision is known by the id its content has, and a
        # refused one under an id that no honest decision can have.
        event_id = expected_event_id(event.body)
        refused_id = approval_refused_id(event.environment, event.content_hash)
        claim = await self.decisions.get(f"decision|{run_key}")
        if claim is not None:
            accepted = _accepted(claim.body)
            return signals_of_decision(accepted) if accepted.event_id == event_id else ()
        for judged in (event_id, refused_id):
            if await self.decisions.get(f"verdict|{judged}") is not None:
                return ()
        raise Retry(f"no accepted decision on {run_key} yet")


def _accepted(claim: JsonObject) -> Event:
    body = claim["event"]
    if not isinstance(body, dict):
        raise TypeError("a decision claim without its event")
    return event_from_body(body)


@dataclass(frozen=True, slots=True)
class Deps:
    """What the subscription needs, made in `app.py`."""

    settings: Settings
    intake: Intake
    consumer: Consumer


def subscribe(broker: SQSBroker, deps: Deps) -> None:
    """Register the handler of the alerts queue."""

    @broker.subscriber(deps.settings.queue_url, **subscription(deps.settings))
    async def on_event(message: Message) -> None:
        await deps.intake.handle(message, deps.consumer.on_event)
