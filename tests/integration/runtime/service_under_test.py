"""A service with a queue in memory, for tests of its life as a process."""

# ruff: noqa: T201 - its tests read what it prints

import asyncio
import os
import sys

from dwh_runtime.broker import make_broker, subscription
from dwh_runtime.outcomes import Fatal
from dwh_runtime.service import Service, run
from dwh_runtime.settings import ServiceSettings
from faststream_sqs.testing.memory import MemoryTransport
from faststream_sqs.transport.protocol import OutgoingMessage


async def build(settings: ServiceSettings) -> Service:
    """`TEST_MODE`: busy (a handler that takes a second), fail (background work gives up), away."""
    mode = os.environ["TEST_MODE"]
    transport = MemoryTransport()
    transport.create_queue("q")
    broker = make_broker(settings, transport=transport)

    @broker.subscriber(settings.queue_url, **subscription(settings) | {"wait_time": 0.2})
    async def on_message(body: bytes) -> None:
        print("handling", flush=True)
        await asyncio.sleep(1)
        print("handled", flush=True)

    async def work() -> None:
        if mode == "fail":
            raise Fatal("the background gave up")
        if mode == "busy":
            await transport.send("q", [OutgoingMessage("{}")])
        await asyncio.Event().wait()

    async def check() -> None:
        if mode == "away":
            raise ConnectionError("refused")

    async def close() -> None:
        print("closed", flush=True)

    return Service(settings, broker, name="test", ready={"store": check}, background=[work], close=[close])


if __name__ == "__main__":
    sys.exit(run(build, ServiceSettings, name="test"))
