"""taskiq with taskiq-aio-sqs: ten messages to a receive, acknowledged after the task."""

import asyncio
from collections.abc import Callable
from typing import Any

from contender import ENDPOINT, QUEUE, REGION, run
from taskiq.api import run_receiver_task
from taskiq_aio_sqs import SQSBroker


def a_broker(*, batching: bool = False) -> SQSBroker:
    """With the library's own best settings for throughput."""
    return SQSBroker(
        QUEUE,
        endpoint_url=ENDPOINT,
        region_name=REGION,
        wait_time_seconds=20,
        max_number_of_messages=10,
        enable_batching=batching,
        batch_timeout=0.1,
    )


def fill(events: list[dict[str, Any]]) -> None:
    """One call to a message, in order."""

    async def send() -> None:
        broker = a_broker()
        task = broker.task(task_name="on_event")(lambda event: event)
        await broker.startup()
        for event in events:
            await task.kiq(event)
        await broker.shutdown()

    asyncio.run(send())


def consume(handled: Callable[[int], None]) -> None:
    """In the receiver that the worker command runs."""

    async def serve() -> None:
        broker = a_broker()

        @broker.task(task_name="on_event")
        async def on_event(event: dict[str, Any]) -> None:
            handled(event["number"])

        await run_receiver_task(broker, run_startup=True, max_async_tasks=100, max_prefetch=100)

    asyncio.run(serve())


if __name__ == "__main__":
    run(fill, consume)
