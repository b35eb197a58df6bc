"""From a message to a decision: read the stored run, the accepted decision and the config, then decide.

Job events act on the stored run, never on the message; approval events only when the decision claim
names them (G6). What is not there yet is a `Retry`, not a loss.
"""

from dataclasses import dataclass
from typing import Protocol

from dwh_contracts.canonical import JsonObject, JsonValue
from dwh_contracts.event_ids import expected_event_id
from dwh_contracts.ids import approval_refused_id
from dwh_contracts.parse import Event, event_from_body
from dwh_contracts.times import parse_time
from dwh_contracts.workflow import WorkflowConfig
from dwh_eventstore import Documents
from dwh_runtime.broker import subscription
from dwh_runtime.config_source import ConfigInForce, ConfigSource
from dwh_runtime.intake import Intake, Origin
from dwh_runtime.outcomes import Retry
from dwh_runtime.stored import StoredRuns
from faststream_sqs import SQSBroker
from faststream_sqs.annotations import Message

from dwh_orchestrator.decide import Decision, decide_approval, decide_run, ignore
from dwh_orchestrator.settings import Settings


class Effects(Protocol):
    """What follows from a decision; `dwh_orchestrator.effects.Effects`."""

    async def perform(
        self, cause: Event, run: Event, decision: Decision, in_force: ConfigInForce[WorkflowConfig]
    ) -> None:
        """Record what was decided, then perform what is on record."""
        ...


@dataclass(frozen=True, slots=True)
class Consumer:
    """What handling a message needs; `app.build` puts it together."""

    decisions: Documents
    runs: StoredRuns
    configs: ConfigSource[WorkflowConfig]
    effects: Effects

    async def on_event(self, event: Event, origin: Origin) -> None:  # noqa: ARG002 - intake's shape
        """Decide on one event, record the decision, perform its triggers."""
        if event.event_type == "job_completed":
            await self._on_run(event)
        elif event.event_type in {"approval_decision", "approval_expired"}:
            await self._on_approval(event)

    async def _on_run(self, event: Event) -> None:
        run = await self.runs.get(event.event_id, event.timestamp)
        in_force = self.configs.current()
        await self.effects.perform(run, run, decide_run(run, in_force.config), in_force)

    async def _on_approval(self, event: Event) -> None:
        # Anyone may put a message on the topic: a decision is known by the id its content has. Recorded
        # under an id it brought, it would occupy the record of the honest event of that id.
        in_force = self.configs.current()
        event_id = expected_event_id(event.body)
        claim = await self._claim(event)
        if claim is None:
            judged, outcome = await self._verdict(event, event_id)
            cause = _under(event, judged)
            decision = ignore(f"the decision was not accepted: {outcome}")
            await self.effects.perform(cause, cause, decision, in_force)
            return
        accepted = claim["event"]
        if not isinstance(accepted, dict) or accepted.get("event_id") != event_id:
            cause = _under(event, event_id)
            decision = ignore("another decision on the run was accepted")
            await self.effects.perform(cause, cause, decision, in_force)
            return
        run = await self.runs.get(str(claim["source_event_id"]), parse_time(str(claim["source_timestamp"])))
        cause = event_from_body(accepted)
        await self.effects.perform(cause, run, decide_approval(run, accepted, in_force.config), in_force)

    async def _claim(self, event: Event) -> JsonObject | None:
        key = f"decision|{event.environment}|{event.job_name}|{event.job_run_id}|{event.attempt}"
        found = await self.decisions.get(key)
        return None if found is None else found.body

    async def _verdict(self, event: Event, event_id: str) -> tuple[str, JsonValue]:
        """The id a losing decision was judged under, and what became of it; see approval_refused_id."""
        refused_id = approval_refused_id(event.environment, event.content_hash)
        for judged in (event_id, refused_id):
            verdict = await self.decisions.get(f"verdict|{judged}")
            if verdict is not None:
                return judged, verdict.body.get("outcome")
        raise Retry("approvals has neither accepted nor refused this decision yet")


def _under(event: Event, event_id: str) -> Event:
    """The event under the id it was judged by, whatever id it brought."""
    return event_from_body({**event.body, "event_id": event_id})


@dataclass(frozen=True, slots=True)
class Deps:
    """What the subscription needs, made in `app.py`."""

    settings: Settings
    intake: Intake
    consumer: Consumer


def subscribe(broker: SQSBroker, deps: Deps) -> None:
    """Register the handler of the orchestrator's queue."""

    @broker.subscriber(deps.settings.queue_url, **subscription(deps.settings))
    async def on_event(message: Message) -> None:
        await deps.intake.handle(message, deps.consumer.on_event)
