"""Six mistakes, each told once, with the queue and the remedy, and no message lost by any of them."""

import json
import logging

import pytest
from faststream_sqs import Heartbeat, InvalidMessageError, Parking, SQSBroker
from faststream_sqs.testing import eventually
from faststream_sqs.testing.canned import CannedSQS, Fault
from faststream_sqs.transport.protocol import TransportError
from faststream_sqs.transport.remedies import (
    NO_CREDENTIALS,
    NO_QUEUE,
    NO_RIGHT,
    OTHER_REGION,
    STALE,
    TOO_LARGE,
)

pytestmark = pytest.mark.integration

TOPIC = "arn:aws:sns:us-east-1:000000000000:news"


class Place:
    """A server, a broker, its log, and what its handler saw."""

    def __init__(self, server):
        self.server = server
        self.told = []
        self.seen = []
        self.broker = SQSBroker("us-east-1", endpoint_url=server.url, graceful_timeout=5, logger=self)

    def log(self, level, text, /, **_):
        if level >= logging.WARNING:
            self.told.append(text)

    async def consumes(self, *bodies, **options):
        """Handle what is in `orders`, until nothing is left there."""

        @self.broker.subscriber("orders", wait_time=0, **options)
        async def on_order(body: int):
            self.seen.append(body)

        if "orders" in self.server.queues:
            self.server.queue("orders").load(bodies)
        await self.broker.start()

    async def emptied(self):
        await eventually(lambda: self.server.queue("orders").left == 0, seconds=20)


async def missing_queue(place):
    await place.consumes()
    await eventually(lambda: place.told)
    place.server.queue("orders").load(["1"])
    await place.emptied()
    assert place.seen == [1]


def refused(code, status):
    async def scenario(place):
        place.server.queue("orders")
        place.server.fail("ReceiveMessage", Fault(code, status=status))
        await place.consumes("1")
        await place.emptied()
        assert place.seen == [1]

    return scenario


async def malformed_envelope(place):
    place.server.queue("orders")
    body = json.dumps(
        {"Type": "Notification", "TopicArn": TOPIC, "MessageId": "m", "Message": {"no": "text"}}
    )
    await place.consumes(body, "1", parking=Parking(queue="dead"))
    await place.emptied()
    assert place.seen == [1]
    assert place.server.queue("dead").left == 1


async def oversize_message(place):
    place.server.queue("orders")
    await place.consumes("1")
    with pytest.raises(InvalidMessageError) as caught:
        await place.broker.publish("x" * 2_000_000, "orders")
    place.told.append(str(caught.value))
    await place.emptied()
    assert place.server.calls["SendMessageBatch"] == 0


async def expired_receipt(place):
    place.server.queue("orders")
    place.server.fail("DeleteMessageBatch", Fault("ReceiptHandleIsInvalid", entries=(0,), sender_fault=True))
    await place.consumes("1", visibility=1, heartbeat=Heartbeat(enabled=False))
    await place.emptied()
    assert place.seen == [1]  # it came again and was deleted unhandled


@pytest.mark.parametrize(
    ("scenario", "remedy"),
    [
        pytest.param(missing_queue, NO_QUEUE, id="missing queue"),
        pytest.param(refused("AccessDenied", 403), NO_RIGHT, id="no permission"),
        pytest.param(refused("InvalidAddress", 404), OTHER_REGION, id="wrong region"),
        pytest.param(refused("InvalidClientTokenId", 403), NO_CREDENTIALS, id="wrong credentials"),
        pytest.param(malformed_envelope, "turn on raw delivery", id="malformed envelope"),
        pytest.param(oversize_message, TOO_LARGE, id="oversize message"),
        pytest.param(expired_receipt, STALE, id="expired receipt"),
    ],
)
async def test_mistake_is_told_with_its_queue_and_remedy_and_loses_nothing(scenario, remedy):
    async with CannedSQS() as server:
        if scenario is malformed_envelope:
            server.queue("dead")
        place = Place(server)
        try:
            await scenario(place)
        finally:
            await place.broker.stop()
    told = [text for text in place.told if remedy in text]
    assert told, place.told
    assert all("orders" in text for text in told)
    assert len(place.told) == 1, place.told


@pytest.mark.parametrize(
    ("code", "status", "remedy"),
    [
        ("QueueDoesNotExist", 400, NO_QUEUE),
        ("AccessDenied", 403, NO_RIGHT),
        ("InvalidAddress", 404, OTHER_REGION),
        ("ExpiredToken", 403, NO_CREDENTIALS),
    ],
)
async def test_refused_publish_raises_one_error_with_queue_and_remedy(code, status, remedy):
    async with CannedSQS() as server:
        server.queue("orders")
        server.fail("SendMessageBatch", Fault(code, status=status))
        broker = SQSBroker("us-east-1", endpoint_url=server.url, logger=None)
        async with broker:
            await broker.connect()
            with pytest.raises(TransportError) as caught:
                await broker.publish("x", "orders")
            await broker.publish("x", "orders")
        assert str(caught.value).startswith("orders: ")
        assert str(caught.value).endswith(f"({remedy})")
        assert server.queue("orders").left == 1


async def test_without_a_region_the_broker_says_where_one_comes_from(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(TransportError, match="NoRegionError") as caught:
        await SQSBroker(logger=None).connect()
    assert OTHER_REGION in str(caught.value)
