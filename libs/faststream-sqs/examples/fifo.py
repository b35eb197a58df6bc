"""Steps of two jobs through one FIFO queue: in order within a job, jobs side by side."""

import asyncio
from typing import Any

from faststream import FastStream
from faststream_sqs import SQSBroker
from faststream_sqs.topology import QueueSpec, Topology, TopologyClient

broker = SQSBroker("us-east-1")
app = FastStream(broker)
steps = broker.publisher(
    "steps.fifo", group_id=lambda step: step["job"], dedup_id=lambda step: f"{step['job']}-{step['n']}"
)


@app.on_startup
async def make_queues() -> None:
    async with TopologyClient("us-east-1") as aws:
        await aws.apply(Topology([QueueSpec("steps.fifo")]))


@broker.subscriber("steps.fifo", wait_time=1, order="group")
async def on_step(step: dict[str, Any]) -> None:
    print(step["job"], step["n"], "begins", flush=True)
    await asyncio.sleep(0.3)  # its work
    print(step["job"], step["n"], "ends", flush=True)


@app.after_startup
async def send_steps() -> None:
    for n in range(3):
        for job in ("a", "b", "a"):  # the repeated one is dropped by its deduplication id
            await steps.publish({"job": job, "n": n})


asyncio.run(app.run())
