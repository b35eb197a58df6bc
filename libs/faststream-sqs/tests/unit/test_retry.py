import itertools
import json

import pytest
from faststream_sqs import MalformedEnvelopeError, MissingPayloadError, Parking, Retry, SQSBroker
from faststream_sqs.annotations import Message
from faststream_sqs.schemas import Fate
from faststream_sqs.testing import MemoryTransport, eventually
from faststream_sqs.testing.clock import EPOCH_OF_TESTS

HOUR = 3600


class OrderError(Exception):
    """Base of the errors of these tests."""


class BusyError(OrderError):
    """Passes with time."""


class StaleError(OrderError):
    """Nobody needs the message any more."""


RULES = Retry(delays=(60,), park_on=(OrderError,), drop_on=(StaleError,), retry_on=(BusyError,))


def a_broker(transport, clock=None):
    return SQSBroker(transport=transport, clock=clock, graceful_timeout=0.2, logger=None)


@pytest.mark.parametrize(
    ("failure", "fate"),
    [
        (OrderError(), Fate.PARK),
        (type("Other", (OrderError,), {})(), Fate.PARK),
        (BusyError(), Fate.RETRY),
        (type("VeryBusy", (BusyError,), {})(), Fate.RETRY),
        (StaleError(), Fate.DROP),
        (ValueError(), Fate.RETRY),
        (None, Fate.RETRY),
    ],
)
def test_nearest_rule_decides(failure, fate):
    assert RULES.fate(failure) is fate


def test_two_rules_for_one_exception_are_refused_by_name():
    with pytest.raises(ValueError, match="more than one rule for StaleError"):
        Retry(park_on=(StaleError,), drop_on=(StaleError,))


@pytest.mark.parametrize("kind", [MissingPayloadError, MalformedEnvelopeError])
@pytest.mark.parametrize(
    ("rule", "fate"), [("park_on", Fate.PARK), ("drop_on", Fate.DROP), ("retry_on", Fate.RETRY)]
)
def test_rule_of_the_user_for_an_unreadable_message_decides(kind, rule, fate):
    handler = SQSBroker(logger=None).subscriber("orders", retry=Retry(**{rule: (kind,)}))
    assert handler.options.retry.fate(kind()) is fate


@pytest.mark.parametrize("kind", [MissingPayloadError, MalformedEnvelopeError])
def test_message_that_cannot_be_read_is_parked_without_a_rule(kind):
    rules = Retry(retry_on=(Exception,), drop_on=(LookupError,))
    handler = SQSBroker(logger=None).subscriber("orders", retry=rules)
    assert handler.options.retry.fate(kind()) is Fate.PARK


@pytest.mark.parametrize("bad", [{"delays": (1, -1)}, {"base": -1}, {"base": 10, "cap": 5}])
def test_impossible_delays_are_refused(bad):
    with pytest.raises(ValueError, match="base is at most cap"):
        Retry(**bad)


@pytest.mark.parametrize(
    ("raised", "left", "dead"),
    [(OrderError, [], ["x"]), (BusyError, ["x"], []), (StaleError, [], []), (ValueError, ["x"], [])],
)
async def test_first_failure_ends_as_its_rule_says(transport, raised, left, dead):
    broker, attempts = a_broker(transport), []

    @broker.subscriber("orders", wait_time=0.05, retry=RULES)
    async def on_order(body: str):
        attempts.append(body)
        raise raised

    async with broker:
        await broker.start()
        await broker.publish("x", "orders")
        await eventually(lambda: attempts and broker.health().detail["orders"]["in_flight"] == 0)
        assert (transport.bodies("orders"), transport.bodies("dead")) == (left, dead)
    assert attempts == ["x"]


async def test_poison_is_handled_exactly_to_its_limit_within_the_back_off_and_parked_with_details(clock):
    transport = MemoryTransport(clock)
    transport.create_queue("dead")
    transport.create_queue("orders", dead_letters="dead")
    broker, at = a_broker(transport, clock), []

    @broker.subscriber("orders", retry=Retry(base=2, cap=100), parking=Parking(after=6))
    async def on_order(body: str, message: Message):
        at.append(clock.monotonic())
        raise LookupError(f"no customer {len(at)}")

    await broker.start()
    await broker.publish("poison", "orders", headers={"tenant": "a"}, attributes={"kind": "new"})
    await eventually(lambda: at)
    for _ in range(2_000):
        if transport.bodies("dead"):
            break
        await eventually(lambda: broker.health().detail["orders"]["in_flight"] == 0)
        await clock.advance(1)
    await broker.stop()
    (parked,) = transport.messages("dead")
    details = json.loads(parked.attributes["parking"].text)
    gaps = [b - a for a, b in itertools.pairwise(at)]
    assert len(at) == 6
    assert all(2 <= gap <= min(100, 2 * 3**n) + 2 for n, gap in enumerate(gaps, start=1)), gaps
    assert (parked.body, parked.attributes["kind"].text) == ("poison", "new")
    assert details["exception_type"] == "LookupError"
    assert details["message"] == "no customer 6"
    assert len(details["fingerprint"]) == 16
    assert details["attempts"] == 6
    assert details["source"] == "orders"
    assert int(details["first_seen"]) == int(EPOCH_OF_TESTS * 1000)


async def test_back_off_never_goes_beyond_twelve_hours_after_the_receive(clock):
    transport = MemoryTransport(clock)
    transport.create_queue("orders")
    broker, counts = a_broker(transport, clock), []

    @broker.subscriber("orders", visibility=11 * HOUR, parking=None, retry=Retry(delays=(12 * HOUR,)))
    async def on_order(body: str, message: Message):
        counts.append(message.receive_count)
        if len(counts) == 1:
            await clock.sleep(2 * HOUR)
            raise ValueError

    await broker.start()
    await broker.publish("x", "orders")
    await eventually(lambda: counts == [1])
    await clock.advance(2 * HOUR)
    await eventually(lambda: broker.health().detail["orders"]["in_flight"] == 0)
    assert broker.health().detail["orders"]["settle_failures"] == 0
    await clock.advance(10 * HOUR - 10)
    assert counts == [1]
    await clock.advance(10)
    await eventually(lambda: counts == [1, 2])
    await broker.stop()
