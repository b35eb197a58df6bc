import asyncio
import json
import logging

import pytest
from faststream import AckPolicy, BaseMiddleware, Context, Depends
from faststream.exceptions import AckMessage, NackMessage, RejectMessage, SetupError, SkipMessage, StopConsume
from faststream_sqs import Batch, BatchOutcome, Parking, Retry, SQSBroker, SQSRoute, SQSRouter
from faststream_sqs.annotations import BatchMessage, Message
from faststream_sqs.testing import MemoryTransport, eventually
from faststream_sqs.testing.clock import settled

AT_ONCE = Retry(delays=(0,))


def a_broker(transport, **options):
    return SQSBroker(**({"transport": transport, "graceful_timeout": 2, "logger": None} | options))


@pytest.fixture
def broker(transport):
    return a_broker(transport)


async def test_handled_message_is_deleted(broker, transport):
    seen = []

    @broker.subscriber("orders", wait_time=0.05)
    async def on_order(body: dict):
        seen.append(body)

    async with broker:
        await broker.start()
        await broker.publish({"id": 1}, "orders")
        await eventually(lambda: transport.bodies("orders") == [])
    assert seen == [{"id": 1}]


async def test_raw_content_type_hands_over_bytes_and_context(broker):
    seen = []

    @broker.subscriber("orders", wait_time=0.05, content_type="application/octet-stream")
    async def on_order(body: bytes, message: Message, trace: str = Context("message.headers.kind")):
        seen.append((body, message.queue, message.receive_count, trace))

    async with broker:
        await broker.start()
        await broker.publish(5, "orders", attributes={"kind": "new"})
        await eventually(lambda: seen)
    assert seen == [(b"5", "orders", 1, "new")]


async def test_failing_message_is_parked_with_details_after_its_fifth_receive(broker, transport):
    attempts = []

    @broker.subscriber("orders", wait_time=0.05, retry=AT_ONCE, parking=Parking(after=5))
    async def on_order(body: dict):
        attempts.append(body)
        raise KeyError("price")

    async with broker:
        await broker.start()
        await broker.publish({"id": 1}, "orders", headers={"tenant": "a"})
        await eventually(lambda: transport.bodies("dead"))
    (parked,) = transport.messages("dead")
    details = json.loads(parked.attributes["parking"].text)
    assert len(attempts) == 5
    assert parked.body == '{"id":1}'
    assert (details["exception_type"], details["message"], details["attempts"]) == ("KeyError", "'price'", 5)
    assert json.loads(details["headers"])["tenant"] == "a"
    assert details["source"] == "orders"


async def test_message_released_five_times_is_still_handled_before_it_is_parked(broker, transport):
    handled = []
    await broker.connect()
    await broker.publish("x", "orders")
    for _ in range(5):
        (raw,) = await transport.receive("memory://queues/orders", limit=1, wait_seconds=0, visibility=30)
        await transport.change_visibility("memory://queues/orders", [(raw.receipt, 0)])

    @broker.subscriber("orders", wait_time=0.05)
    async def on_order(message: Message):
        handled.append(message.receive_count)

    async with broker:
        await broker.start()
        await eventually(lambda: handled and not transport.bodies("orders"))
    assert handled == [6]
    assert transport.bodies("dead") == []


async def test_receives_that_were_released_as_no_failure_do_not_bring_a_message_nearer_to_parking(
    broker, transport
):
    attempts = []

    @broker.subscriber("orders", retry=Retry(delays=(0,)), parking=Parking(after=2), wait_time=0.05)
    async def on_order(message: Message):
        attempts.append((message.receive_count, message.attempts))
        if len(attempts) <= 4:
            await message.release(0)
        else:
            raise KeyError("price")

    async with broker:
        await broker.start()
        await broker.publish("x", "orders")
        await eventually(lambda: transport.bodies("dead"))
    assert attempts == [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 2)]


async def test_nack_message_sets_the_back_off(clock):
    transport = MemoryTransport(clock)
    transport.create_queue("orders")
    broker, counts = a_broker(transport, clock=clock, graceful_timeout=0.1), []

    @broker.subscriber("orders", retry=Retry(delays=(2, 30)))
    async def on_order(message: Message):
        counts.append(message.receive_count)
        raise NackMessage(delay=45)

    await broker.start()
    await broker.publish("x", "orders")
    await eventually(lambda: transport.calls.count("change_visibility") == 1)
    await clock.advance(44)
    assert counts == [1]
    await clock.advance(2)
    await eventually(lambda: counts == [1, 2])
    await broker.stop()


async def test_back_off_follows_the_receive_count(clock):
    transport = MemoryTransport(clock)
    transport.create_queue("orders")
    broker, seen = a_broker(transport, clock=clock, graceful_timeout=0.1), []

    @broker.subscriber("orders", retry=Retry(delays=(2, 30, 300)))
    async def on_order(body: str):
        seen.append(clock.monotonic())
        raise ValueError

    await broker.start()
    await broker.publish("x", "orders")
    for failures, seconds in enumerate((2, 30, 300), start=1):
        await eventually(lambda n=failures: transport.calls.count("change_visibility") == n)
        await settled()
        await clock.advance(seconds)
        await eventually(lambda n=failures: len(seen) == n + 1)
    assert seen == [0, 2, 32, 332]
    await broker.stop()


@pytest.mark.parametrize(
    ("policy", "raised", "left", "dead"),
    [
        (AckPolicy.ACK_FIRST, ValueError("x"), [], []),
        (AckPolicy.ACK, ValueError("x"), [], []),
        (AckPolicy.NACK_ON_ERROR, ValueError("x"), ["x"], []),
        (AckPolicy.REJECT_ON_ERROR, ValueError("x"), [], ["x"]),
        (AckPolicy.MANUAL, None, ["x"], []),
        (AckPolicy.NACK_ON_ERROR, AckMessage(), [], []),
        (AckPolicy.NACK_ON_ERROR, NackMessage(delay=60), ["x"], []),
        (AckPolicy.NACK_ON_ERROR, RejectMessage(reason="bad"), [], ["x"]),
        (AckPolicy.NACK_ON_ERROR, SkipMessage(), ["x"], []),
    ],
)
async def test_fate_of_a_message_by_policy_and_exception(broker, transport, policy, raised, left, dead):
    done = []

    @broker.subscriber("orders", wait_time=0.05, ack_policy=policy, retry=Retry(delays=(60,)))
    async def on_order(body: str):
        done.append(body)
        if raised is not None:
            raise raised

    async with broker:
        await broker.start()
        await broker.publish("x", "orders")
        await eventually(lambda: done and broker.health().detail["orders"]["in_flight"] == 0)
        assert (transport.bodies("orders"), transport.bodies("dead")) == (left, dead)
    assert done == ["x"]


async def test_ack_first_deletes_before_the_handler_runs(broker, transport):
    seen = []

    @broker.subscriber("orders", wait_time=0.05, ack_policy=AckPolicy.ACK_FIRST)
    async def on_order(body: str):
        seen.append(transport.bodies("orders"))

    async with broker:
        await broker.start()
        await broker.publish("x", "orders")
        await eventually(lambda: seen)
    assert seen == [[]]


async def test_reject_without_parking_deletes(broker, transport):
    @broker.subscriber("orders", wait_time=0.05, parking=None)
    async def on_order(body: str):
        raise RejectMessage

    async with broker:
        await broker.start()
        await broker.publish("x", "orders")
        await eventually(lambda: transport.bodies("orders") == [])
    assert transport.bodies("dead") == []


async def test_batch_deletes_nine_and_retries_the_bad_one(broker, transport):
    seen = []

    @broker.subscriber("orders", wait_time=0.05, batch=Batch(10, 0.2), retry=Retry(delays=(60,)))
    async def on_orders(message: BatchMessage) -> BatchOutcome:
        outcome = BatchOutcome().ack_all(len(message.items))
        for index, item in enumerate(message.items):
            if item.body == b"7":
                outcome.retry(index)
        seen.append(len(message.items))
        return outcome

    async with broker:
        await broker.start()
        await broker.publish_batch(*range(10), target="orders")
        await eventually(lambda: transport.bodies("orders") == ["7"])
    assert seen == [10]


async def test_unreadable_item_of_a_batch_is_rejected_alone(broker, transport):
    @broker.subscriber("orders", wait_time=0.05, batch=Batch(10, 0.2))
    async def on_orders(message: BatchMessage) -> BatchOutcome:
        items = message.decode_each(json.loads)
        for index, _ in items:
            items.outcome.ack(index)
        return items.outcome

    async with broker:
        await broker.start()
        await broker.publish_batch("1", "{", "3", target="orders")
        await eventually(lambda: transport.bodies("orders") == [])
    assert transport.bodies("dead") == ["{"]


async def test_batch_whose_handler_fails_is_retried_as_a_whole(broker, transport):
    sizes = []

    @broker.subscriber("orders", wait_time=0.05, batch=Batch(3, 0.2), retry=AT_ONCE)
    async def on_orders(message: BatchMessage):
        sizes.append(sorted(item.receive_count for item in message.items))
        if len(sizes) == 1:
            raise ValueError

    async with broker:
        await broker.start()
        await broker.publish_batch(1, 2, 3, target="orders")
        await eventually(lambda: transport.bodies("orders") == [])
    assert sizes[0] == [1, 1, 1]
    assert sorted(n for size in sizes[1:] for n in size) == [2, 2, 2]


async def test_no_more_handlers_run_than_workers(broker):
    gate, running, peak = asyncio.Event(), set(), []

    @broker.subscriber("orders", wait_time=0.05, max_workers=3)
    async def on_order(body: int):
        running.add(body)
        peak.append(len(running))
        await gate.wait()
        running.discard(body)

    async with broker:
        await broker.start()
        await broker.publish_batch(*range(10), target="orders")
        await eventually(lambda: len(running) == 3 and broker.health().detail["orders"]["buffered"] == 7)
        gate.set()
        await eventually(lambda: len(peak) == 10)
    assert max(peak) == 3


async def test_pause_holds_what_was_received_and_resume_goes_on(broker, transport):
    seen = []

    @broker.subscriber("orders", wait_time=1)
    async def on_order(body: int):
        seen.append(body)

    async with broker:
        await broker.start()
        await eventually(lambda: "receive" in transport.calls)
        await broker.pause("orders")
        await broker.publish(1, "orders")
        await eventually(lambda: broker.health().detail["orders"]["buffered"] == 1)
        assert (seen, broker.health().live) == ([], True)
        await broker.resume("orders")
        await eventually(lambda: seen == [1])


async def test_pause_of_an_unknown_queue_says_so(broker):
    with pytest.raises(SetupError, match="no subscriber of nowhere"):
        await broker.pause("nowhere")


async def test_missing_queue_keeps_the_broker_alive_and_is_found_later(clock):
    transport = MemoryTransport(clock)
    broker, seen = a_broker(transport, clock=clock, graceful_timeout=0.1), []

    @broker.subscriber("late")
    async def on_late(body: str):
        seen.append(body)

    await broker.start()
    await eventually(lambda: broker.health().detail["late"]["poll_failures"] == 1)
    assert broker.health().live
    assert await broker.ping()
    transport.create_queue("late")
    await broker.publish("x", "late")
    await clock.advance(1)
    await eventually(lambda: seen == ["x"])
    await broker.stop()


async def test_router_prefix_publisher_and_middleware(transport):
    transport.create_queue("eu-orders")
    transport.create_queue("eu-bills")
    scopes = []

    class Note(BaseMiddleware):
        async def consume_scope(self, call_next, msg):
            scopes.append(msg.queue)
            return await call_next(msg)

    router = SQSRouter(prefix="eu-", middlewares=[Note])

    @router.publisher("bills")
    async def bill(body: dict):
        return {"bill": body["id"]}

    router.subscriber("orders", wait_time=0.05)(bill)
    broker = a_broker(transport)
    broker.include_router(router)
    async with broker:
        await broker.start()
        await broker.publish({"id": 7}, "eu-orders")
        await eventually(lambda: transport.bodies("eu-bills") == ['{"bill":7}'])
    assert scopes == ["eu-orders"]


async def test_route_and_dependency(transport):
    seen = []

    def tenant() -> str:
        return "a"

    async def on_order(body: str, of: str = Depends(tenant)):
        seen.append((body, of))

    broker = a_broker(transport, routers=[SQSRouter(handlers=[SQSRoute(on_order, "orders", wait_time=0.05)])])
    async with broker:
        await broker.start()
        await broker.publish("x", "orders")
        await eventually(lambda: seen == [("x", "a")])


async def test_filter_chooses_the_handler(broker):
    seen = []
    subscriber = broker.subscriber("orders", wait_time=0.05)

    @subscriber(filter=lambda message: message.headers.get("kind") == "a")
    async def on_a(body: str):
        seen.append(("a", body))

    @subscriber
    async def on_rest(body: str):
        seen.append(("rest", body))

    async with broker:
        await broker.start()
        await broker.publish("1", "orders", attributes={"kind": "a"})
        await broker.publish("2", "orders")
        await eventually(lambda: len(seen) == 2)
    assert sorted(seen) == [("a", "1"), ("rest", "2")]


async def test_stop_consume_stops_its_own_subscriber_only(broker, transport):
    transport.create_queue("others")
    seen = []

    @broker.subscriber("orders", wait_time=0.05)
    async def on_order(body: str):
        raise StopConsume

    @broker.subscriber("others", wait_time=0.05)
    async def on_other(body: str):
        seen.append(body)

    async with broker:
        await broker.start()
        await broker.publish("x", "orders")
        await eventually(lambda: not broker.health().detail["orders"]["consuming"])
        await broker.publish("y", "others")
        await eventually(lambda: seen == ["y"])


async def test_nothing_is_logged_at_info_per_message_and_structlog_style_loggers_work(transport):
    lines = []

    class Logger:
        def log(self, level, event, /, **fields):
            lines.append((level, event, fields))

    broker = a_broker(transport, logger=Logger())

    @broker.subscriber("orders", wait_time=0.05)
    async def on_order(body: str):
        pass

    async with broker:
        await broker.start()
        await broker.publish("x", "orders")
        await eventually(lambda: any(event == "Processed" for _, event, _ in lines))
    assert {level for level, _, _ in lines} == {logging.DEBUG}
