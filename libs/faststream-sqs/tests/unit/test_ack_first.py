"""`ACK_FIRST`: at most once, and nothing is deleted that no handler saw."""

import asyncio

import pytest
from faststream import AckPolicy
from faststream_sqs import Batch, SQSBroker
from faststream_sqs.annotations import BatchMessage
from faststream_sqs.testing import MemoryTransport, eventually
from faststream_sqs.transport.protocol import OutgoingMessage, TransportError

QUEUE = "orders.fifo"


class NoDeletes(MemoryTransport):
    """Refuses deletes while `away`, holds them back while `slow`."""

    def __init__(self):
        super().__init__()
        self.create_queue(QUEUE)
        self.away = False
        self.fast = asyncio.Event()
        self.fast.set()
        self.asked = []

    async def delete(self, queue_url, receipts):
        self.asked += receipts
        await self.fast.wait()
        if self.away:
            raise TransportError("ServiceUnavailable", "")
        return await super().delete(queue_url, receipts)

    @property
    def asked_again(self):
        """Whether a delete of a redelivery was asked for."""
        return any(receipt.endswith("#2") for receipt in self.asked)

    async def load(self, *bodies):
        await self.send(QUEUE, [OutgoingMessage(body, group_id="g", dedup_id=body) for body in bodies])


@pytest.fixture
def transport():
    return NoDeletes()


@pytest.fixture
def consuming(transport):
    """Starts a broker whose subscriber deletes first; returns it and what its handler sees."""

    async def start(**options):
        broker, handled = SQSBroker(transport=transport, graceful_timeout=2, logger=None), []
        subscriber = broker.subscriber(
            QUEUE, ack_policy=AckPolicy.ACK_FIRST, visibility=1, wait_time=0.05, **options
        )

        async def on_order(body: int):
            handled.append(body)

        async def on_orders(message: BatchMessage):
            handled.extend(int(item.body) for item in message.items)

        subscriber(on_orders if "batch" in options else on_order)
        await broker.start()
        return broker, handled

    return start


@pytest.mark.parametrize(
    "options", [{}, {"batch": Batch(2)}, {"order": "group"}], ids=["single", "batch", "group"]
)
async def test_message_whose_delete_failed_is_handled_when_it_comes_again(transport, consuming, options):
    transport.away = True
    await transport.load("1", "2")
    broker, handled = await consuming(**options)
    await eventually(lambda: transport.asked_again)
    assert (handled, transport.bodies(QUEUE)) == ([], ["1", "2"])
    transport.away = False
    await eventually(lambda: transport.bodies(QUEUE) == [])
    await broker.stop()
    assert (handled if options else sorted(handled)) == [1, 2]


async def test_message_whose_delete_is_confirmed_after_it_came_again_is_handled_once(transport, consuming):
    transport.fast.clear()
    await transport.load("1")
    broker, handled = await consuming()
    await eventually(lambda: transport.asked_again)
    transport.fast.set()
    await eventually(lambda: transport.bodies(QUEUE) == [])
    await broker.stop()
    assert handled == [1]
