"""Where messages go that should be parked, and what happens when that place is not there."""

import logging

import pytest
from faststream_sqs import Parking, Retry, SQSBroker
from faststream_sqs.testing import eventually
from faststream_sqs.transport.protocol import TransportError
from faststream_sqs.transport.remedies import NO_PARKING, NO_QUEUE


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
