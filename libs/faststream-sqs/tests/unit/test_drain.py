import asyncio

import pytest
from faststream_sqs import Retry, SQSBroker
from faststream_sqs.annotations import Message
from faststream_sqs.testing import MemoryTransport, eventually
from faststream_sqs.transport.protocol import OutgoingMessage


def a_broker(transport, seconds=2.0):
    return SQSBroker(transport=transport, graceful_timeout=seconds, logger=None)


async def stop_within(broker, seconds):
    async with asyncio.timeout(seconds):
        await broker.stop()


async def test_idle_stop_takes_no_longer_than_a_poll(transport):
    broker = a_broker(transport, 10)

    @broker.subscriber("orders", wait_time=1)
    async def on_order(body: str):
        pass

    await broker.start()
    await stop_within(broker, 1.5)


async def test_running_handler_finishes_and_its_delete_is_not_lost(transport):
    broker, started, finish, seen = a_broker(transport), asyncio.Event(), asyncio.Event(), []

    @broker.subscriber("orders", wait_time=0.05)
    async def on_order(body: int):
        started.set()
        await finish.wait()
        seen.append(body)

    await broker.start()
    await broker.publish(1, "orders")
    await started.wait()
    stopping = asyncio.create_task(broker.stop())
    await eventually(lambda: broker.subscribers[0]._consumer._stopping)
    finish.set()
    await stopping
    assert (seen, transport.bodies("orders")) == ([1], [])


@pytest.mark.parametrize("pending", range(1, 10))
async def test_pending_acknowledgements_are_flushed(transport, pending):
    broker, seen = a_broker(transport), []

    @broker.subscriber("orders", wait_time=0.05, max_workers=10)
    async def on_order(body: int):
        seen.append(body)

    await broker.start()
    await broker.publish_batch(*range(pending), target="orders")
    await eventually(lambda: len(seen) == pending)
    await broker.stop()
    assert transport.bodies("orders") == []


async def test_buffered_messages_are_shown_again_at_once(transport):
    broker, started, finish = a_broker(transport), asyncio.Event(), asyncio.Event()

    @broker.subscriber("orders", wait_time=0.05, max_workers=1, prefetch=9)
    async def on_order(body: int):
        started.set()
        await finish.wait()

    await broker.start()
    await broker.publish_batch(*range(5), target="orders")
    await started.wait()
    stopping = asyncio.create_task(broker.stop())
    await eventually(lambda: transport.in_flight("orders") == 1)
    finish.set()
    await stopping
    assert sorted(transport.bodies("orders")) == ["1", "2", "3", "4"]
    assert transport.in_flight("orders") == 0


async def test_message_that_a_live_poll_still_brings_is_shown_again_at_once(transport):
    broker, seen = a_broker(transport, 10), []

    @broker.subscriber("orders", wait_time=0.5)
    async def on_order(body: str):
        seen.append(body)

    await broker.start()
    await eventually(lambda: "receive" in transport.calls)
    stopping = asyncio.create_task(broker.stop())
    await eventually(lambda: broker.subscribers[0]._consumer._stopping)
    await transport.send("memory://queues/orders", [OutgoingMessage("late")])
    await stopping
    assert seen == []
    assert (transport.bodies("orders"), transport.in_flight("orders")) == (["late"], 0)


async def test_handler_that_does_not_end_is_cancelled_at_the_deadline_and_its_message_released(transport):
    broker, started = a_broker(transport, 0.3), asyncio.Event()

    @broker.subscriber("orders", wait_time=0.05)
    async def on_order(body: str):
        started.set()
        await asyncio.Event().wait()

    await broker.start()
    await broker.publish("x", "orders")
    await started.wait()
    await stop_within(broker, 1.5)
    assert (transport.bodies("orders"), transport.in_flight("orders")) == (["x"], 0)


async def test_second_stop_is_harmless_and_start_after_stop_consumes(transport):
    broker, seen = a_broker(transport), []

    @broker.subscriber("orders", wait_time=0.05)
    async def on_order(body: int):
        seen.append(body)

    await broker.start()
    await asyncio.gather(broker.stop(), broker.stop())
    await broker.stop()
    await broker.start()
    await broker.publish(1, "orders")
    await eventually(lambda: seen == [1])
    await broker.stop()


async def test_stop_during_start_leaves_nothing_running(transport):
    broker = a_broker(transport)

    @broker.subscriber("orders", wait_time=0.05)
    async def on_order(body: int):
        pass

    await asyncio.gather(broker.start(), broker.stop())
    assert not broker.health().detail["orders"]["consuming"]
    assert not transport.opened


@pytest.mark.parametrize("turns", range(0, 60, 3))
async def test_nothing_is_lost_or_stuck_when_stopped_at_any_moment(transport, turns):
    broker, seen = a_broker(transport, 0.5), []

    @broker.subscriber("orders", wait_time=0.05, max_workers=4)
    async def on_order(body: int):
        await asyncio.sleep(0)
        seen.append(body)

    await broker.connect()
    await broker.publish_batch(*range(20), target="orders")
    await broker.start()
    for _ in range(turns):
        await asyncio.sleep(0)
    await broker.stop()
    left = [int(body) for body in transport.bodies("orders")]
    assert sorted(left + seen) == list(range(20))  # each exactly once: nothing lost, nothing doubled
    assert transport.in_flight("orders") == 0


@pytest.mark.parametrize("turns", range(0, 120, 6))
async def test_groups_stopped_at_any_moment_lose_nothing_and_go_on_in_order(turns):
    transport, handled = MemoryTransport(), []
    url = transport.create_queue("orders.fifo")
    for n in range(40):
        await transport.send(url, [OutgoingMessage(str(n), group_id=f"g{n % 4}", dedup_id=str(n))])

    def consumer():
        broker = a_broker(transport, 0.5)

        @broker.subscriber(
            "orders.fifo", wait_time=0.05, order="group", parking=None, retry=Retry(delays=(0,))
        )
        async def on_order(body: int, message: Message):
            await asyncio.sleep(0)
            if body % 7 == 0 and message.attempts == 1:
                raise ValueError
            handled.append(body)

        return broker

    first = consumer()
    await first.start()
    for _ in range(turns):
        await asyncio.sleep(0)
    await first.stop()
    assert transport.in_flight("orders.fifo") == 0
    assert sorted({int(body) for body in transport.bodies("orders.fifo")} | set(handled)) == list(range(40))
    second = consumer()
    await second.start()
    await eventually(lambda: transport.bodies("orders.fifo") == [])
    await second.stop()
    assert {n % 4: [m for m in handled if m % 4 == n % 4] for n in range(4)} == {
        g: list(range(g, 40, 4)) for g in range(4)
    }
