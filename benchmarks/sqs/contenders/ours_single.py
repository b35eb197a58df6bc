"""faststream_sqs, one message to a handler."""

import asyncio
from collections.abc import Callable
from typing import Any

from contender import ENDPOINT, QUEUE, REGION, run
from event_model import JobEvent
from faststream_sqs import SQSBroker


def fill(events: list[dict[str, Any]]) -> None:
    """Through the broker."""

    async def send() -> None:
        async with SQSBroker(REGION, endpoint_url=ENDPOINT, logger=None) as broker:
            await broker.publish_batch(*events, target=QUEUE)

    asyncio.run(send())


def consume(handled: Callable[[int], None]) -> None:
    """With a heartbeat, parking and batched settles: the defaults but for the number of workers."""
    broker = SQSBroker(REGION, endpoint_url=ENDPOINT, logger=None)

    @broker.subscriber(QUEUE, max_workers=50, prefetch=50)
    async def on_event(body: JobEvent) -> None:
        handled(body.number)

    async def serve() -> None:
        await broker.start()
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    run(fill, consume)
