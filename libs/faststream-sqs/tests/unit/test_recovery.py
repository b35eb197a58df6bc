import asyncio
import logging

import pytest
from faststream_sqs import SQSBroker
from faststream_sqs.testing import MemoryTransport, eventually
from faststream_sqs.testing.clock import settled
from faststream_sqs.transport.protocol import TransportError


class Unreliable(MemoryTransport):
    """Refuses or swallows receives while told to."""

    def __init__(self, clock):
        super().__init__(clock)
        self.create_queue("orders")
        self.error = None
        self.wedged = False

    async def receive(self, queue_url, **asked):
        if self.wedged:
            await asyncio.Event().wait()
        if self.error is not None:
            await asyncio.sleep(0)
            raise self.error
        return await super().receive(queue_url, **asked)


class Lines:
    def __init__(self):
        self.lines = []

    def log(self, level, event, /, **fields):
        self.lines.append((level, event))


@pytest.fixture
def transport(clock):
    return Unreliable(clock)


@pytest.fixture
def logger():
    return Lines()


@pytest.fixture
def seen():
    return []


@pytest.fixture
async def broker(transport, clock, logger, seen):
    broker = SQSBroker(transport=transport, clock=clock, graceful_timeout=0.1, logger=logger)

    @broker.subscriber("orders")
    async def on_order(body: str):
        seen.append((clock.monotonic(), body))

    yield broker
    await broker.stop()


@pytest.mark.parametrize(
    "error",
    [
        TransportError("InternalError", "500"),
        TransportError("ThrottlingException", ""),
        TransportError("InvalidClientTokenId", "", retryable=False),
        TransportError("AccessDenied", "", retryable=False),
        RuntimeError("a bug of the SDK"),
    ],
    ids=str,
)
async def test_a_minute_of_failures_is_over_within_ten_seconds_and_logged_a_few_times(
    broker, transport, clock, logger, seen, error
):
    transport.error = error
    await broker.start()
    for _ in range(60):
        await clock.advance(1)
        assert broker.health().live
    transport.error = None
    await broker.publish("x", "orders")
    for _ in range(10):
        await clock.advance(1)
        await settled(50)
    await eventually(lambda: seen)
    assert seen[0][0] <= 70
    errors = [event for level, event in logger.lines if level == logging.ERROR]
    assert 3 <= len(errors) <= 5
    assert errors[0] == f"receive from orders failed 1 times, 1 in a row: {error}"


async def test_ping_says_no_within_a_minute_of_a_wedged_poll_and_yes_while_idle(broker, transport, clock):
    await broker.start()
    await eventually(lambda: "receive" in transport.calls)
    for _ in range(600):
        await clock.advance(1)
        assert await broker.ping()
    transport.wedged = True
    await clock.advance(20)
    wedged_at = clock.monotonic()
    while await broker.ping():
        await clock.advance(1)
        assert clock.monotonic() - wedged_at <= 61


async def test_heartbeat_that_died_is_not_live(broker, transport):
    await broker.start()
    assert await broker.ping()
    beating = broker.subscribers[0]._consumer._beating
    beating.cancel()
    await asyncio.wait([beating])
    assert not await broker.ping()


async def test_ping_of_a_stopped_broker_says_no(broker):
    await broker.start()
    await broker.stop()
    assert not await broker.ping()
    assert not broker.health().ready


async def test_pause_of_ten_minutes_keeps_what_is_held_receives_nothing_more_and_stays_live(
    broker, transport, clock, seen
):
    await broker.start()
    await eventually(lambda: "receive" in transport.calls)
    await broker.pause("orders")
    await broker.publish("held", "orders")  # the poll under way still brings it
    await eventually(lambda: broker.health().detail["orders"]["buffered"] == 1)
    await broker.publish("waits", "orders")
    for _ in range(60):
        await clock.advance(10)
        await asyncio.sleep(0.025)
        assert broker.health().live
    assert (seen, transport.in_flight("orders")) == ([], 1)
    await broker.resume("orders")
    await eventually(lambda: [body for _, body in seen] == ["held", "waits"])


async def test_error_in_taking_over_messages_does_not_end_the_poll(
    broker, transport, clock, seen, monkeypatch
):
    await broker.start()
    consumer = broker.subscribers[0]._consumer
    add, broken = consumer.workers.add, [MemoryError()]

    def flaky(deliveries):
        if broken and deliveries:
            raise broken.pop()
        add(deliveries)

    monkeypatch.setattr(consumer.workers, "add", flaky)
    await broker.publish("x", "orders")
    await eventually(lambda: not broken)
    await broker.publish("y", "orders")
    await clock.advance(5)
    await eventually(lambda: [body for _, body in seen] == ["y"])
    assert broker.health().live
