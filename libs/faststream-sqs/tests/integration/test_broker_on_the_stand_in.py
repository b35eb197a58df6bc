import asyncio
import random
from collections import defaultdict

import pytest
from faststream_sqs import Batch, Retry, SQSBroker
from faststream_sqs.annotations import BatchMessage, Message
from faststream_sqs.testing import eventually
from faststream_sqs.transport.protocol import OutgoingMessage

pytestmark = pytest.mark.integration


@pytest.fixture
def broker(endpoint):
    return SQSBroker("us-east-1", endpoint_url=endpoint, graceful_timeout=10, logger=None)


async def test_a_thousand_messages_are_handled_once_each_and_deleted(broker, topology):
    url, seen = await topology.queue("orders"), []

    @broker.subscriber(url, wait_time=1)
    async def on_order(body: int, message: Message):
        seen.append(body)

    async with broker:
        await broker.publish_batch(*range(1000), target=url)
        await broker.start()
        await eventually(lambda: len(seen) == 1000, seconds=30)
    assert sorted(seen) == list(range(1000))
    assert await topology.counts(url) == (0, 0)


async def test_batches_are_handled_and_deleted(broker, topology):
    url, seen = await topology.queue("orders"), []

    @broker.subscriber(url, wait_time=1, batch=Batch(10, 0.1))
    async def on_orders(message: BatchMessage):
        seen.extend(int(item.body) for item in message.items)

    async with broker:
        await broker.publish_batch(*range(100), target=url)
        await broker.start()
        await eventually(lambda: len(seen) == 100, seconds=30)
    assert sorted(seen) == list(range(100))
    assert await topology.counts(url) == (0, 0)


async def test_poison_goes_to_the_dead_letters_with_its_details(broker, topology, transport):
    dead = await topology.queue("dead")
    url = await topology.queue("orders", dead_letters=dead)

    @broker.subscriber(url, wait_time=1, retry=Retry(delays=(0,)))
    async def on_order(body: str):
        raise ValueError("poison")

    async with broker:
        await broker.publish("x", url)
        await broker.start()
        (parked,) = await transport.receive(dead, limit=1, wait_seconds=20, visibility=30)
    assert parked.body == "x"
    assert '"attempts":5' in parked.attributes["parking"].text


async def test_stop_under_load_loses_nothing_and_leaves_nothing_stuck(broker, topology):
    url, seen = await topology.queue("orders"), []

    @broker.subscriber(url, wait_time=1)
    async def on_order(body: int):
        await asyncio.sleep(0)
        seen.append(body)

    async with broker:
        await broker.publish_batch(*range(300), target=url)
        await broker.start()
        await eventually(lambda: len(seen) > 50, seconds=30)
    visible, in_flight = await topology.counts(url)
    assert in_flight == 0
    assert visible + len(seen) == 300


async def test_fifo_groups_keep_their_exact_order_under_five_percent_failures(broker, topology, transport):
    url = await topology.queue("orders", fifo=True)
    chance, handled, failures = random.Random(1), defaultdict(list), []

    @broker.subscriber(
        url,
        wait_time=1,
        order="group",
        max_workers=25,
        prefetch=75,
        parking=None,
        retry=Retry(delays=(0.05,)),
    )
    async def on_order(body: int, message: Message):
        await asyncio.sleep(0)
        if chance.random() < 0.05:
            failures.append(body)
            raise ConnectionError
        handled[message.group_id].append(body)

    async with broker:
        for start in range(0, 2_000, 10):
            numbers = range(start, start + 10)
            await transport.send(
                url, [OutgoingMessage(str(n), group_id=f"g{n % 50}", dedup_id=str(n)) for n in numbers]
            )
        await broker.start()
        await eventually(lambda: sum(map(len, handled.values())) == 2_000, seconds=60)
    assert handled == {f"g{g}": list(range(g, 2_000, 50)) for g in range(50)}
    assert 60 < len(failures) < 160
    assert await topology.counts(url) == (0, 0)
