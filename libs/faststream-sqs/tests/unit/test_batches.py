import json

import pytest
from faststream_sqs import Batch, BatchOutcome, Parking, Retry, SQSBroker
from faststream_sqs.annotations import BatchMessage
from faststream_sqs.testing import eventually

TEN = {"wait_time": 0.05, "batch": Batch(10, 0.2)}


class StaleError(Exception):
    """Nobody needs the message any more."""


@pytest.fixture
def broker(transport):
    return SQSBroker(transport=transport, graceful_timeout=2, logger=None)


def parse(body):
    value = json.loads(body)
    if value < 0:
        raise ValueError(f"{value} is below zero")
    return value


async def consumed(broker, transport, *bodies):
    async with broker:
        await broker.publish_batch(*bodies, target="orders")
        await broker.start()
        await eventually(lambda: transport.bodies("orders") == [])


async def test_item_seven_fails_alone_and_comes_back_alone(broker, transport):
    sizes, tried = [], []

    @broker.subscriber("orders", **TEN, retry=Retry(delays=(0,)))
    async def on_orders(message: BatchMessage) -> BatchOutcome:
        sizes.append(len(message.items))
        items = message.decode_each(parse)
        for index, value in items:
            tried.append(value)
            if value == 7 and tried.count(7) < 3:
                items.outcome.retry(index)
            else:
                items.outcome.ack(index)
        return items.outcome

    await consumed(broker, transport, *range(10))
    assert sizes == [10, 1, 1]
    assert sorted(tried) == [0, 1, 2, 3, 4, 5, 6, 7, 7, 7, 8, 9]
    assert transport.bodies("dead") == []


async def test_each_item_meets_the_rule_and_the_details_of_its_own_error(broker, transport):
    tries = []

    @broker.subscriber(
        "orders",
        **TEN,
        retry=Retry(delays=(0,), park_on=(LookupError,), drop_on=(StaleError,)),
        parking=Parking(after=3),
    )
    async def on_orders(message: BatchMessage) -> BatchOutcome:
        errors = {1: KeyError("customer"), 2: StaleError(), 3: OSError("away")}
        items = message.decode_each(parse)
        for index, value in items:
            tries.append(value)
            if value in errors:
                items.outcome.retry(index, error=errors[value])
            else:
                items.outcome.ack(index)
        return items.outcome

    await consumed(broker, transport, 0, 1, 2, 3, -4)
    parked = {m.body: json.loads(m.attributes["parking"].text) for m in transport.messages("dead")}
    assert sorted(tries) == [0, 1, 2, 3, 3, 3]
    assert {body: (d["exception_type"], d["message"], d["attempts"]) for body, d in parked.items()} == {
        "1": ("KeyError", "'customer'", 1),
        "3": ("OSError", "away", 3),
        "-4": ("ValueError", "-4 is below zero", 1),
    }


async def test_item_settled_by_the_handler_keeps_its_fate_when_the_handler_then_fails(broker, transport):
    sizes = []

    @broker.subscriber("orders", **TEN, retry=Retry(delays=(0,)))
    async def on_orders(message: BatchMessage) -> None:
        sizes.append(len(message.items))
        if len(sizes) == 1:
            await message.items[0].ack()
            raise OSError

    await consumed(broker, transport, 0, 1, 2)
    assert sizes[0] == 3
    assert sum(sizes[1:]) == 2


async def test_batch_is_handed_over_when_its_wait_is_over(broker, transport):
    sizes = []

    @broker.subscriber("orders", wait_time=0.05, batch=Batch(100, 0.1))
    async def on_orders(message: BatchMessage) -> None:
        sizes.append(len(message.items))

    await consumed(broker, transport, *range(25))
    assert sum(sizes) == 25
    assert sizes[0] == 25
