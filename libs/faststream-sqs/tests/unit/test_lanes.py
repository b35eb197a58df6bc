import asyncio
import itertools
import random
from collections import defaultdict

import pytest
from faststream import AckPolicy
from faststream.exceptions import RejectMessage, SetupError, SkipMessage
from faststream_sqs import Batch, Heartbeat, Parking, Retry, SQSBroker
from faststream_sqs.annotations import Message
from faststream_sqs.testing import MemoryTransport, eventually
from faststream_sqs.testing.clock import settled
from faststream_sqs.transport.protocol import OutgoingMessage

QUEUE = "orders.fifo"
TURNS = 100  # of the event loop
URL = f"memory://queues/{QUEUE}"


@pytest.fixture
def transport(clock):
    transport = MemoryTransport(clock)
    transport.create_queue("dead.fifo")
    transport.create_queue(QUEUE, dead_letters="dead.fifo")
    transport.create_queue("orders")
    return transport


@pytest.fixture
def broker(transport, clock):
    return SQSBroker(transport=transport, clock=clock, graceful_timeout=1, logger=None)


async def fill(transport, *messages, queue=URL):
    """Each message is a pair of group and body; the body is its deduplication id."""
    outgoing = [OutgoingMessage(body, group_id=group, dedup_id=body) for group, body in messages]
    for start in range(0, len(outgoing), 10):
        await transport.send(queue, outgoing[start : start + 10])


async def took_notice():
    """A handler that ended is noticed by its lane, whatever FastStream does in between."""
    await settled(TURNS)
    await asyncio.sleep(0.002)
    await settled(TURNS)


async def advance_until(clock, condition):
    async with asyncio.timeout(30):
        await took_notice()
        while not condition():
            await clock.advance(1)
            await took_notice()


@pytest.mark.long
async def test_fifty_groups_of_two_hundred_with_five_percent_failures_keep_their_exact_order(
    broker, transport, clock
):
    chance, handled, failures = random.Random(1), defaultdict(list), 0

    @broker.subscriber(
        QUEUE, order="group", max_workers=25, prefetch=75, parking=None, retry=Retry(delays=(2,))
    )
    async def on_order(body: int, message: Message):
        nonlocal failures
        await asyncio.sleep(0)
        if chance.random() < 0.05:
            failures += 1
            raise ConnectionError
        handled[message.group_id].append(body)

    await fill(transport, *((f"g{n % 50}", str(n)) for n in range(10_000)))
    await broker.start()
    async with asyncio.timeout(120):
        while transport.bodies(QUEUE):
            await clock.advance(1)
            await asyncio.sleep(0.005)
    await broker.stop()
    assert handled == {f"g{g}": list(range(g, 10_000, 50)) for g in range(50)}
    assert 400 < failures < 650


async def test_failed_head_is_tried_again_in_process_before_the_rest_and_other_groups_go_on(
    broker, transport, clock
):
    tries = []

    @broker.subscriber(QUEUE, order="group", content_type="text/plain", retry=Retry(delays=(2, 30)))
    async def on_order(body: str, message: Message):
        tries.append((clock.monotonic(), body, message.receive_count, message.attempts))
        if body == "a1" and message.attempts < 3:
            raise ValueError

    await fill(transport, ("a", "a1"), ("a", "a2"), ("b", "b1"))
    await broker.start()
    await eventually(lambda: len(tries) == 2)
    assert sorted(tries) == [(0, "a1", 1, 1), (0, "b1", 1, 1)]
    await eventually(lambda: broker.health().detail[QUEUE]["running"] == 0)
    await advance_until(clock, lambda: transport.bodies(QUEUE) == [])
    assert [seen for _, *seen in tries[2:]] == [["a1", 1, 2], ["a1", 1, 3], ["a2", 1, 1]]
    assert tries[2][0] >= 2
    assert tries[3][0] - tries[2][0] >= 30
    await broker.stop()


async def test_beats_hold_the_waiting_head_and_the_rest_for_ten_minutes(broker, transport, clock):
    tries = []

    @broker.subscriber(
        QUEUE, order="group", content_type="text/plain", visibility=60, retry=Retry(delays=(600,))
    )
    async def on_order(body: str, message: Message):
        tries.append((body, message.receive_count))
        if len(tries) == 1:
            raise ValueError

    await fill(transport, ("a", "1"), ("a", "2"))
    await broker.start()
    await eventually(lambda: tries)
    for _ in range(59):
        await clock.advance(10)
        await asyncio.sleep(0.025)  # a beat's call goes out after a moment's wait for company
        assert transport.in_flight(QUEUE) == 2
    await advance_until(clock, lambda: transport.bodies(QUEUE) == [])
    assert tries == [("1", 1), ("1", 1), ("2", 1)]
    await broker.stop()


async def test_head_at_its_limit_is_parked_and_its_lane_moves_on(broker, transport, clock):
    tries = []

    @broker.subscriber(
        QUEUE, order="group", content_type="text/plain", retry=Retry(delays=(1,)), parking=Parking(after=3)
    )
    async def on_order(body: str):
        tries.append(body)
        if body == "1":
            raise ValueError("poison")

    await fill(transport, ("a", "1"), ("a", "2"))
    await broker.start()
    await advance_until(clock, lambda: transport.bodies(QUEUE) == [])
    (parked,) = transport.messages("dead.fifo")
    assert tries == ["1", "1", "1", "2"]
    assert (parked.body, parked.group_id) == ("1", "a")
    assert '"attempts":3' in parked.attributes["parking"].text
    await broker.stop()


async def test_head_that_cannot_be_parked_stays_before_the_rest(broker, transport, clock):
    tries = []

    @broker.subscriber(
        QUEUE,
        order="group",
        content_type="text/plain",
        retry=Retry(delays=(1,)),
        parking=Parking(after=2, queue="late.fifo"),
    )
    async def on_order(body: str):
        tries.append(body)
        if body == "1":
            raise ValueError

    await fill(transport, ("a", "1"), ("a", "2"))
    await broker.start()
    await advance_until(clock, lambda: len(tries) == 5)
    assert tries == ["1"] * 5
    transport.create_queue("late.fifo")
    await advance_until(clock, lambda: transport.bodies(QUEUE) == [])
    assert set(tries[5:-1]) <= {"1"}
    assert (tries[-1], transport.bodies("late.fifo")) == ("2", ["1"])
    await broker.stop()


@pytest.mark.parametrize("policy", [AckPolicy.NACK_ON_ERROR, AckPolicy.MANUAL])
async def test_unsettled_head_is_tried_again_after_its_visibility_before_the_rest(
    broker, transport, clock, policy
):
    tries = []

    @broker.subscriber(QUEUE, order="group", content_type="text/plain", visibility=30, ack_policy=policy)
    async def on_order(body: str, message: Message):
        tries.append((clock.monotonic(), body))
        if len(tries) == 1:
            raise SkipMessage
        await message.ack()

    await fill(transport, ("a", "1"), ("a", "2"))
    await broker.start()
    await eventually(lambda: tries)
    await advance_until(clock, lambda: transport.bodies(QUEUE) == [])
    assert [body for _, body in tries] == ["1", "1", "2"]
    assert tries[1][0] - tries[0][0] >= 30
    await broker.stop()


async def test_head_that_is_acknowledged_while_it_waits_lets_the_rest_go(broker, transport, clock):
    messages = []

    @broker.subscriber(QUEUE, order="group", content_type="text/plain", ack_policy=AckPolicy.MANUAL)
    async def on_order(body: str, message: Message):
        messages.append(message)

    await fill(transport, ("a", "1"), ("a", "2"))
    await broker.start()
    await eventually(lambda: len(messages) == 1)
    await messages[0].ack()
    await eventually(lambda: len(messages) == 2)
    await messages[1].ack()
    await eventually(lambda: transport.bodies(QUEUE) == [])
    assert clock.monotonic() == 0
    await broker.stop()


async def test_release_by_the_handler_keeps_the_message_and_counts_nothing(broker, transport, clock):
    tries = []

    @broker.subscriber(QUEUE, order="group", content_type="text/plain")
    async def on_order(body: str, message: Message):
        tries.append((clock.monotonic(), body, message.attempts))
        if len(tries) < 3:
            await message.release(2)

    await fill(transport, ("a", "1"), ("a", "2"))
    await broker.start()
    await eventually(lambda: tries)
    await advance_until(clock, lambda: transport.bodies(QUEUE) == [])
    at = [moment for moment, _, _ in tries]
    assert [seen for _, *seen in tries] == [["1", 1], ["1", 1], ["1", 1], ["2", 1]]
    assert all(later - earlier >= 2 for earlier, later in itertools.pairwise(at[:3]))
    await broker.stop()


async def test_drain_shows_waiting_head_and_rest_at_once_and_the_successor_sees_their_order(
    broker, transport, clock
):
    tried, seen = [], []

    @broker.subscriber(QUEUE, order="group", content_type="text/plain", retry=Retry(delays=(600,)))
    async def on_order(body: str):
        tried.append(body)
        raise ValueError

    await fill(transport, ("a", "1"), ("a", "2"), ("a", "3"))
    await broker.start()
    await eventually(lambda: tried == ["1"])
    stopping = asyncio.create_task(broker.stop())
    await eventually(lambda: transport.in_flight(QUEUE) == 0)
    await advance_until(clock, stopping.done)
    successor = SQSBroker(transport=transport, clock=clock, graceful_timeout=1, logger=None)

    @successor.subscriber(QUEUE, order="group", content_type="text/plain")
    async def on_order_again(body: str):
        seen.append(body)

    await successor.start()
    await eventually(lambda: seen == ["1", "2", "3"])
    await successor.stop()


async def test_failure_during_a_drain_shows_the_head_after_its_back_off_and_the_rest_behind_it(
    broker, transport, clock
):
    started, finish = asyncio.Event(), asyncio.Event()

    @broker.subscriber(QUEUE, order="group", content_type="text/plain", retry=Retry(delays=(40,)))
    async def on_order(body: str):
        started.set()
        await finish.wait()
        raise ValueError

    await fill(transport, ("a", "1"), ("a", "2"))
    await broker.start()
    await started.wait()
    stopping = asyncio.create_task(broker.stop())
    await eventually(lambda: broker.subscribers[0]._consumer._stopping)
    finish.set()
    await advance_until(clock, stopping.done)
    assert await transport.receive(URL, limit=10, wait_seconds=0, visibility=5) == []
    await clock.advance(60)
    received = await transport.receive(URL, limit=10, wait_seconds=0, visibility=5)
    assert [m.body for m in received] == ["1", "2"]


async def test_lost_head_gives_up_its_lane_and_nothing_behind_it_is_handled_first(broker, transport, clock):
    finish, seen = asyncio.Event(), []

    @broker.subscriber(QUEUE, order="group", content_type="text/plain")
    async def on_order(body: str, message: Message):
        seen.append((body, message.receive_count))
        if len(seen) == 1:
            await finish.wait()

    await fill(transport, ("a", "1"), ("a", "2"))
    await broker.start()
    await eventually(lambda: seen)
    head, _ = transport._queues[URL].messages
    head.receipt, head.visible_at = "taken-by-somebody-else", 100.0
    await clock.advance(31)
    await eventually(lambda: broker.health().detail[QUEUE]["in_flight"] == 1)
    finish.set()
    await advance_until(clock, lambda: transport.bodies(QUEUE) == [])
    assert seen == [("1", 1), ("2", 2)]  # the first was done: its redelivery is deleted unhandled
    assert head.receives == 2
    await broker.stop()


async def test_key_function_orders_a_standard_queue(broker, transport, clock):
    handled, chance = defaultdict(list), random.Random(3)

    @broker.subscriber(
        "orders",
        order=lambda m: m.headers["customer"],
        max_workers=20,
        retry=Retry(delays=(1,)),
        parking=None,
    )
    async def on_order(body: int, message: Message):
        await asyncio.sleep(0)
        if chance.random() < 0.2:
            raise ValueError
        handled[message.headers["customer"]].append(body)

    await broker.connect()
    for n in range(200):
        await broker.publish(n, "orders", attributes={"customer": str(n % 7)})
    await broker.start()
    await advance_until(clock, lambda: transport.bodies("orders") == [])
    assert handled == {str(k): list(range(k, 200, 7)) for k in range(7)}
    await broker.stop()


@pytest.mark.parametrize("key", [lambda m: None, lambda m: m.headers["missing"], lambda m: []])
async def test_message_without_a_usable_key_is_handled_beside_the_others(broker, transport, key):
    running, peak = set(), []

    @broker.subscriber("orders", order=key)
    async def on_order(body: int):
        running.add(body)
        peak.append(len(running))
        await asyncio.sleep(0)
        running.discard(body)

    await broker.connect()
    await broker.publish_batch(1, 2, 3, target="orders")
    await broker.start()
    await eventually(lambda: transport.bodies("orders") == [])
    assert max(peak) == 3
    await broker.stop()


async def test_reject_in_a_lane_parks_the_head_and_moves_on(broker, transport):
    seen = []

    @broker.subscriber(QUEUE, order="group", content_type="text/plain")
    async def on_order(body: str):
        seen.append(body)
        if body == "1":
            raise RejectMessage(reason="bad")

    await fill(transport, ("a", "1"), ("a", "2"))
    await broker.start()
    await eventually(lambda: transport.bodies(QUEUE) == [])
    assert (seen, transport.bodies("dead.fifo")) == (["1", "2"], ["1"])
    await broker.stop()


@pytest.mark.parametrize(
    "options",
    [{"order": "group", "batch": Batch()}, {"order": "group", "heartbeat": Heartbeat(enabled=False)}],
)
def test_order_needs_single_messages_and_the_heartbeat(broker, options):
    with pytest.raises(SetupError, match="one by one and needs its heartbeat"):
        broker.subscriber(QUEUE, **options)


def test_unknown_order_is_refused_by_name(broker):
    with pytest.raises(SetupError, match="not 'groups'"):
        broker.subscriber(QUEUE, order="groups")
