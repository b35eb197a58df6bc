"""Ten messages at a time; the one that cannot be read is parked alone."""

import asyncio
import json

from faststream import FastStream
from faststream_sqs import Batch, BatchOutcome, SQSBroker
from faststream_sqs.annotations import BatchMessage
from faststream_sqs.topology import QueueSpec, Topology, TopologyClient

broker = SQSBroker("us-east-1")
app = FastStream(broker)


@app.on_startup
async def make_queues() -> None:
    async with TopologyClient("us-east-1") as aws:
        await aws.apply(Topology([QueueSpec("readings", dead_letters="dead"), QueueSpec("dead")]))


@broker.subscriber("readings", wait_time=1, batch=Batch(max_size=10, max_wait=0.2))
async def on_readings(message: BatchMessage) -> BatchOutcome:
    readings = message.decode_each(json.loads)
    print("sum", sum(value for _, value in readings), "of", len(readings.values), flush=True)
    return readings.outcome.ack_all(len(message.items))


@app.after_startup
async def send_readings() -> None:
    await broker.publish_batch(*range(9), "{not a number", target="readings")


asyncio.run(app.run())
