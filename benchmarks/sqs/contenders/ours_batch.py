"""faststream_sqs, ten messages to a handler."""

import asyncio
from collections.abc import Callable
from typing import Any

from contender import ENDPOINT, QUEUE, REGION, run
from event_model import JobEvent
from faststream_sqs import Batch, BatchOutcome, SQSBroker
from faststream_sqs.annotations import BatchMessage
from ours_single import fill


def consume(handled: Callable[[int], None]) -> None:
    """Each body is parsed by the handler, each message has its own outcome."""
    broker = SQSBroker(REGION, endpoint_url=ENDPOINT, logger=None)

    @broker.subscriber(QUEUE, max_workers=10, prefetch=20, batch=Batch(10, 0.01))
    async def on_events(message: BatchMessage) -> BatchOutcome:
        events: Any = message.decode_each(JobEvent.model_validate_json)
        for index, event in events:
            handled(event.number)
            events.outcome.ack(index)
        outcome: BatchOutcome = events.outcome
        return outcome

    async def serve() -> None:
        await broker.start()
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    run(fill, consume)
