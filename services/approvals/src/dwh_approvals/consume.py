"""The one subscription: job events open and close approvals, job-approvals brings decisions of others."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dwh_contracts.parse import Event
from dwh_runtime.broker import subscription
from dwh_runtime.intake import Intake, Origin
from faststream_sqs import SQSBroker
from faststream_sqs.annotations import Message

from dwh_approvals.settings import Settings

OnEvent = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Consumer:
    """What handling a message needs; `app.build` puts it together."""

    on_run: OnEvent
    on_approval: OnEvent

    async def on_event(self, event: Event, origin: Origin) -> None:  # noqa: ARG002 - the intake's shape
        """Pass the event on by its family; what is neither asks nothing of this service."""
        if event.event_type == "job_completed":
            await self.on_run(event)
        elif event.family == "approval":
            await self.on_approval(event)


@dataclass(frozen=True, slots=True)
class Deps:
    """What the subscription needs, made in `app.py`."""

    settings: Settings
    intake: Intake
    consumer: Consumer


def subscribe(broker: SQSBroker, deps: Deps) -> None:
    """Register the handler of the approvals queue."""

    @broker.subscriber(deps.settings.queue_url, **subscription(deps.settings))
    async def on_event(message: Message) -> None:
        await deps.intake.handle(message, deps.consumer.on_event)
