import json

import pytest
from faststream_sqs import Batch, BatchOutcome, LargePayload, Parking, Retry, SQSBroker
from faststream_sqs.annotations import BatchMessage
from faststream_sqs.consume.delivery import DeliveryBatch
from faststream_sqs.large import POINTER, pointer_of
from faststream_sqs.parking import parking_details
from faststream_sqs.parser import SQSBatchParser, SQSParser
from faststream_sqs.testing import MemoryObjects, a_delivery, eventually
from faststream_sqs.transport.protocol import Attribute

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


OURS = {"reason": "r", "attempts": 5, "source": "orders", "parked_at": "1"}
HOSTILE = {
    "no object": [OURS],
    "attributes no object": OURS | {"attributes": [1]},
    "attribute no object": OURS | {"attributes": {"a": 1}},
    "attribute without a type": OURS | {"attributes": {"a": {"value": "v"}}},
    "attribute without text": OURS | {"attributes": {"a": {"type": "String", "value": 1}}},
    "no bytes": OURS | {"attributes": {"a": {"type": "Binary", "value": "\u20ac"}}},
    "too many attributes": OURS
    | {"attributes": {str(n): {"type": "String", "value": "v"} for n in range(11)}},
    "headers no text": OURS | {"headers": {}},
    "moment no number": OURS | {"parked_at": "soon"},
    "moment no text": OURS | {"parked_at": None},
    "moment beyond time": OURS | {"parked_at": "9" * 400},
}


@pytest.mark.parametrize(
    "text",
    [*map(json.dumps, HOSTILE.values()), "[" * 100_000],
    ids=[*HOSTILE, "too deep"],
)
async def test_parking_attribute_that_is_not_ours_is_an_ordinary_one(broker, transport, text):
    batches = []

    @broker.subscriber("orders", **TEN)
    async def on_orders(message: BatchMessage) -> None:
        batches.append([(item.body, item.headers.get("parking")) for item in message.items])

    async with broker:
        await broker.connect()
        for body, attributes in ((1, {}), (2, {"parking": text}), (3, {})):
            await broker.publish(body, "orders", attributes=attributes)
        await broker.start()
        await eventually(lambda: transport.bodies("orders") == [])
    assert batches == [[(b"1", None), (b"2", text), (b"3", None)]]
    assert transport.bodies("dead") == []
    assert parking_details({"parking": Attribute(text)}) == {}


async def test_item_that_cannot_be_parsed_for_an_unforeseen_reason_is_unreadable_alone():
    deliveries = [a_delivery("1"), a_delivery(None), a_delivery("3")]
    batch = await SQSBatchParser().parse_message(DeliveryBatch(deliveries, "orders"))
    assert [item.body for item in batch.items] == [b"1", b"", b"3"]
    with pytest.raises(AttributeError):
        batch.items[1].ensure_readable()


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ('{"TopicArn": "x:sns:y", "Type": "Notification", "x": ' + DEEP, None),
        (f'["s3BucketName", {DEEP}', None),
        (
            '{"TopicArn": "x:sns:y", "Type": "Notification", "MessageId": "m", "Message": "\\ud800"}',
            b"\xed\xa0\x80",
        ),
    ],
    ids=["deep envelope", "deep pointer", "half a character"],
)
def test_body_that_breaks_a_parser_reaches_its_handler(body, wanted):
    message = SQSParser().parse(a_delivery(body))
    assert (message.unreadable, message.body) == (None, wanted or body.encode())
    assert pointer_of(message.body) is None


async def test_item_whose_body_cannot_be_fetched_for_an_unforeseen_reason_fails_alone(broker, transport):
    class Away(MemoryObjects):
        async def get(self, bucket, key):
            raise RuntimeError("a bug of the SDK")

    broker = SQSBroker(
        transport=transport, logger=None, graceful_timeout=2, large=LargePayload("bucket"), objects=Away()
    )
    sizes = []

    @broker.subscriber("orders", **TEN, retry=Retry(delays=(0,)), parking=Parking(after=2))
    async def on_orders(message: BatchMessage) -> None:
        sizes.append(len(message.items))

    await consumed(broker, transport, 1, [POINTER, {"s3BucketName": "bucket", "s3Key": "k"}], 3)
    (parked,) = transport.messages("dead")
    details = json.loads(parked.attributes["parking"].text)
    assert (sizes, details["exception_type"], details["attempts"]) == ([3, 1], "RuntimeError", 2)


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
