"""What an AsyncAPI document is made of in the tests that read one."""

import json

from faststream import AsyncAPI
from faststream_sqs import Parking, Queue, SQSBroker, SQSRouter, Subscription, Topic

NEWS = Topic("arn:aws:sns:us-east-1:000000000000:news")


def described():
    """Queues and a topic by every way to name them: broker, router, URL, FIFO, parking, filter."""
    broker, router = SQSBroker("us-east-1", logger=None), SQSRouter(prefix="shop-")

    @broker.publisher(NEWS, title="News")
    @broker.subscriber(
        Queue("orders"),
        parking=Parking(queue="orders-dlq"),
        subscriptions=[Subscription(NEWS, filter_policy={"kind": ["new"]})],
    )
    async def on_order(body: dict) -> dict:
        return body

    @router.publisher("out.fifo")
    @router.subscriber("https://sqs.us-east-1.amazonaws.com/1/plain")
    async def on_plain(body: int) -> int:
        return body

    broker.include_router(router)
    return json.loads(AsyncAPI(broker).to_specification().to_json())
