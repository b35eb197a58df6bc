"""One topic, two queues: one hears everything, the other only large orders."""

import asyncio

from faststream import FastStream
from faststream_sqs import SQSBroker
from faststream_sqs.topology import QueueSpec, SubscriptionSpec, Topology, TopologyClient

TOPIC = "arn:aws:sns:us-east-1:000000000000:orders"
ALL = SubscriptionSpec("orders", "ship")
LARGE = SubscriptionSpec("orders", "audit", filter_policy={"size": ["large"]})

broker = SQSBroker("us-east-1")
app = FastStream(broker)


@app.on_startup
async def make_queues() -> None:
    async with TopologyClient("us-east-1") as aws:
        await aws.apply(Topology([QueueSpec("ship"), QueueSpec("audit")], ["orders"], [ALL, LARGE]))


@broker.subscriber("ship", wait_time=1)
async def ship(order: dict[str, int]) -> None:
    print("ship", order["id"], flush=True)


@broker.subscriber("audit", wait_time=1)
async def audit(order: dict[str, int]) -> None:
    print("audit", order["id"], flush=True)


@app.after_startup
async def place_orders() -> None:
    for number, size in enumerate(("small", "large"), start=1):
        await broker.publish({"id": number}, TOPIC, attributes={"size": size})


asyncio.run(app.run())
