"""The one subscription: job events, in batches."""

from dataclasses import dataclass

from dwh_runtime.broker import subscription
from dwh_runtime.intake import BatchHandler, Intake
from faststream_sqs import Batch, SQSBroker
from faststream_sqs.annotations import BatchMessage

from dwh_indexer.settings import Settings

# One bulk request carries a batch; waiting longer would show in "emit to searchable" at rest.
_BATCH = Batch(max_size=100, max_wait=0.05)


@dataclass(frozen=True, slots=True)
class Deps:
    """What the subscription needs, made in `app.py`."""

    settings: Settings
    intake: Intake
    index: BatchHandler


def subscribe(broker: SQSBroker, deps: Deps) -> None:
    """Register the handler of the indexer's queue."""

    @broker.subscriber(deps.settings.queue_url, **subscription(deps.settings, batch=_BATCH))
    async def on_job_events(message: BatchMessage) -> None:
        await deps.intake.handle_batch(message, deps.index)
