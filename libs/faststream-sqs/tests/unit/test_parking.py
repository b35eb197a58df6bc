"""Where messages go that should be parked, and what happens when that place is not there."""

import logging

import pytest
from faststream_sqs import Parking, Retry, SQSBroker
from faststream_sqs.parking import parked_copy, parking_details, restored
from faststream_sqs.produce.sizing import size_of
from faststream_sqs.schemas import MAX_QUEUE_BYTES
from faststream_sqs.testing import a_delivery, eventually
from faststream_sqs.transport.protocol import Attribute, OutgoingMessage, TransportError
from faststream_sqs.transport.remedies import NO_PARKING, NO_QUEUE

TEN = {f"a{n}": Attribute(str(n), "Number") for n in range(9)} | {"headers": Attribute('{"tenant":"a"}')}


def copy_of(body, attributes, failure):
    delivery = a_delivery(body, attributes=attributes, receive_count=5)
    delivery.failure = failure
    return parked_copy(delivery, reason=str(failure), now=1.0, fifo=False)


def room_for(attributes):
    return MAX_QUEUE_BYTES - size_of(OutgoingMessage("", attributes))


def test_reason_is_cut_as_its_error_is():
    details = parking_details(copy_of("x", {}, ValueError("ü" * 600_000)).attributes)
    assert (len(details["reason"]), len(details["message"])) == (1_000, 1_000)


@pytest.mark.parametrize("attributes", [{}, TEN], ids=["none", "ten"])
@pytest.mark.parametrize(
    ("spare", "told"),
    [
        (20_000, {"reason": 1_000, "message": 1_000, "exception_type": "ValueError", "attempts": 5}),
        (2_000, {"reason": 100, "exception_type": "ValueError", "attempts": 5}),
        (0, {}),
    ],
)
def test_parked_copy_tells_what_fits_beside_its_body_and_is_restored(attributes, spare, told):
    body = "x" * (room_for(attributes) - spare)
    copy = copy_of(body, attributes, ValueError("ü" * 600_000))
    details = parking_details(copy.attributes)
    assert size_of(copy) <= MAX_QUEUE_BYTES
    assert (copy.body, restored(copy.attributes)) == (body, attributes)
    seen = {name: details.get(name) for name in told}
    assert {n: len(v) if n in {"reason", "message"} else v for n, v in seen.items()} == told
    assert ("message" in details) is ("message" in told)


def test_headers_that_grow_when_packed_keep_nothing_from_being_parked():
    attributes = {"headers": Attribute('"' * 600_000)}
    copy = copy_of("x", attributes, ValueError())
    assert (dict(copy.attributes), copy.body) == (attributes, "x")


class Lines:
    def __init__(self):
        self.lines = []

    def log(self, level, event, /, **fields):
        if level >= logging.WARNING:
            self.lines.append(event)

    def about(self, *parts):
        return [line for line in self.lines if all(part in line for part in parts)]


@pytest.fixture
def log():
    return Lines()


@pytest.fixture
def broker(transport, log):
    return SQSBroker(transport=transport, graceful_timeout=2, logger=log)


@pytest.fixture
def poison(broker):
    """Registers a handler that reads no message but `good`; returns what it saw."""

    def register(queue="orders", **options):
        seen = []

        @broker.subscriber(queue, wait_time=0.05, retry=Retry(delays=(0,)), **options)
        async def on_order(body: str):
            seen.append(body)
            if body != "good":
                raise ValueError(body)

        return seen

    return register


async def test_missing_dead_letter_queue_is_named_keeps_nobody_from_working_and_is_used_once_it_is_there(
    transport, broker, log, poison
):
    transport.delete_queue("dead")
    seen = poison(parking=Parking(after=2))
    async with broker:
        await broker.start()
        await broker.publish("good", "orders")
        await eventually(lambda: seen == ["good"])
        (told,) = log.about("orders", "dead: ", NO_QUEUE)
        assert "parked" in told
        await broker.publish("bad", "orders")
        await eventually(lambda: seen.count("bad") > 3)
        assert log.about("parking message", "orders", "dead: ", NO_QUEUE)
        transport.create_queue("dead")
        await eventually(lambda: transport.bodies("dead") == ["bad"])
        await eventually(lambda: transport.bodies("orders") == [])


@pytest.mark.parametrize(
    "parking", [None, Parking(queue="other")], ids=["no parking", "another queue for parking"]
)
async def test_missing_dead_letter_queue_is_nothing_to_tell_who_does_not_use_it(
    transport, broker, log, poison, parking
):
    transport.delete_queue("dead")
    seen = poison(parking=parking)
    async with broker:
        await broker.start()
        await broker.publish("good", "orders")
        await eventually(lambda: seen == ["good"])
    assert log.about("dead") == []


async def test_without_any_place_to_park_each_try_says_so_and_the_message_stays(
    transport, broker, log, poison
):
    transport.create_queue("plain")
    seen = poison("plain", parking=Parking(after=1))
    async with broker:
        await broker.start()
        await broker.publish("bad", "plain")
        await eventually(lambda: len(seen) > 1)
        assert log.about("parking message", "plain", NO_PARKING)
        assert transport.bodies("plain") == ["bad"]


@pytest.mark.parametrize("named", ["orders", "other"], ids=["the queue itself", "the named queue"])
async def test_place_to_park_that_cannot_be_looked_up_is_named_and_looked_up_again(
    transport, broker, log, poison, monkeypatch, named
):
    transport.create_queue("other")
    transport.delete_queue("dead")
    seen = poison(parking=Parking(after=1, queue=None if named == "orders" else named))
    resolve = transport.resolve

    async def busy(queue):
        if seen and queue == named:
            raise TransportError("ThrottlingException", "Rate exceeded")
        return await resolve(queue)

    monkeypatch.setattr(transport, "resolve", busy)
    async with broker:
        await broker.start()
        await broker.publish("bad", "orders")
        await eventually(lambda: len(seen) > 1)
        assert log.about("parking message", "orders", f"{named}: ThrottlingException")
        monkeypatch.setattr(transport, "resolve", resolve)
        transport.create_queue("dead")
        await eventually(lambda: transport.bodies("orders") == [])
    assert transport.bodies("other" if named == "other" else "dead") == ["bad"]
