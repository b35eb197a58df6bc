"""Bounds that only mean something with sockets: stops, locks and calls of whole processes' brokers."""

import asyncio
import subprocess
import sys
import time

import pytest
from faststream_sqs import Batch, BatchOutcome, Heartbeat, Retry, SQSBroker
from faststream_sqs.annotations import BatchMessage, Message
from faststream_sqs.testing import eventually
from faststream_sqs.testing.canned import Fault

pytestmark = pytest.mark.integration


@pytest.fixture
def a_broker(endpoint, session):
    def make(url=endpoint):
        return SQSBroker(
            "us-east-1",
            endpoint_url=url,
            session_factory=lambda: session,
            graceful_timeout=10,
            logger=None,
        )

    return make


async def test_idle_stop_ends_within_its_wait_and_a_second_and_the_successor_takes_over_in_two(
    a_broker, topology
):
    url, seen, wait = await topology.queue("orders"), [], 2

    def consumer():
        broker = a_broker()

        @broker.subscriber(url, wait_time=wait)
        async def on_order(body: int):
            seen.append((body, time.monotonic()))

        return broker

    first, second = consumer(), consumer()
    await first.start()
    await eventually(lambda: first.health().detail[url.rpartition("/")[2]]["consuming"])
    started = time.monotonic()
    stopping = asyncio.create_task(first.stop())
    await asyncio.sleep(wait / 2)  # a poll of the first one is still open
    sent = time.monotonic()
    await topology.send(url, "1")
    await second.start()
    await stopping
    assert time.monotonic() - started <= wait + 1
    await eventually(lambda: seen)
    await second.stop()
    assert [body for body, _ in seen] == [1]
    assert seen[0][1] - sent <= 2


async def test_second_stop_stop_during_start_and_start_after_stop(a_broker, topology):
    url, seen, broker = await topology.queue("orders"), [], a_broker()

    @broker.subscriber(url, wait_time=0)
    async def on_order(body: int):
        seen.append(body)

    await asyncio.gather(broker.start(), broker.stop())
    assert not broker.health().detail[url.rpartition("/")[2]]["consuming"]
    await broker.start()
    await asyncio.gather(broker.stop(), broker.stop())
    await broker.stop()
    await topology.send(url, "1")
    await broker.start()
    await eventually(lambda: seen)
    await broker.stop()
    assert (seen, await topology.counts(url)) == ([1], (0, 0))


async def test_handler_of_three_visibility_times_is_one_delivery(a_broker, topology):
    url, seen, broker = await topology.queue("orders"), [], a_broker()

    @broker.subscriber(url, wait_time=1, visibility=3)
    async def on_order(message: Message):
        seen.append(message.receive_count)
        await asyncio.sleep(9)

    async with broker:
        await topology.send(url, "1")
        await broker.start()
        await eventually(lambda: seen and broker.health().detail[url.rpartition("/")[2]]["in_flight"] == 0)
    assert (seen, await topology.counts(url)) == ([1], (0, 0))


async def test_lost_lock_is_flagged_and_the_successor_keeps_its_message(a_broker, topology):
    url, flags, done = await topology.queue("orders"), [], []
    loser, winner, finish = a_broker(), a_broker(), asyncio.Event()

    @loser.subscriber(url, wait_time=0, visibility=1, heartbeat=Heartbeat(enabled=False), max_workers=1)
    async def on_order(message: Message):
        flags.append(message)
        await asyncio.sleep(1.1)
        await loser.pause(url)
        await finish.wait()
        done.append("loser")

    @winner.subscriber(url, wait_time=0)
    async def on_same(message: Message):
        done.append("winner has it")
        await eventually(lambda: "loser" in done)
        assert (await topology.counts(url))[1] == 1  # not deleted by the loser
        done.append("winner")

    await topology.send(url, "1")
    await loser.start()
    await eventually(lambda: flags)
    await eventually(lambda: flags[0].lock_lost, seconds=1.5)
    await eventually(lambda: loser.health().detail[url.rpartition("/")[2]]["paused"])
    await winner.start()
    await eventually(lambda: "winner has it" in done)
    finish.set()
    await eventually(lambda: done[-1] == "winner")
    await asyncio.gather(loser.stop(), winner.stop())
    assert done == ["winner has it", "loser", "winner"]
    assert await topology.counts(url) == (0, 0)


async def test_two_megabytes_of_200_kilobytes_each_take_two_calls_and_one_for_what_failed(a_broker, server):
    broker = a_broker(server.url)
    server.fail("SendMessageBatch", Fault("InternalError", entries=(1, 3)))
    async with broker:
        await broker.connect()
        ids = await broker.publish_batch(*(f"{n}" * 200_000 for n in range(10)), target="orders")
    assert (len(set(ids)), server.queue("orders").left) == (10, 10)
    assert server.calls["SendMessageBatch"] == 3


async def test_two_megabytes_of_200_kilobytes_each_arrive_whole(a_broker, topology):
    url, seen, broker = await topology.queue("orders"), [], a_broker()

    @broker.subscriber(url, wait_time=0)
    async def on_order(body: str):
        seen.append((body[0], len(body)))

    async with broker:
        await broker.connect()
        await broker.publish_batch(*(f"{n}" * 200_000 for n in range(10)), target=url)
        await broker.start()
        await eventually(lambda: len(seen) == 10)
    assert sorted(seen) == [(str(n), 200_000) for n in range(10)]


async def test_batch_with_item_seven_bad_deletes_nine_and_retries_one(a_broker, topology):
    url, sizes, broker = await topology.queue("orders"), [], a_broker()

    @broker.subscriber(url, wait_time=1, batch=Batch(10, 0.5), retry=Retry(delays=(1,)))
    async def on_orders(message: BatchMessage) -> BatchOutcome:
        sizes.append([item.body for item in message.items])
        outcome = BatchOutcome()
        for index, item in enumerate(message.items):
            if item.body == b"7" and item.receive_count == 1:
                outcome.retry(index, error=ConnectionError())
            else:
                outcome.ack(index)
        return outcome

    async with broker:
        await broker.connect()
        await broker.publish_batch(*range(10), target=url)
        await broker.start()
        await eventually(lambda: [b"7"] in sizes)
        await eventually(lambda: broker.health().detail[url.rpartition("/")[2]]["in_flight"] == 0)
    handled = [body for size in sizes for body in size]
    assert sorted(handled) == sorted([b"%d" % n for n in range(10)] + [b"7"])
    assert await topology.counts(url) == (0, 0)


@pytest.fixture
def _saturated_cpu():
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    yield
    for process in busy:
        process.kill()
        process.wait()


@pytest.mark.prove
@pytest.mark.usefixtures("_saturated_cpu")
async def test_p99_of_the_ack_lag_is_below_100_ms_on_a_saturated_cpu(a_broker, server):
    queue, finished = server.queue("orders"), {}
    queue.load(str(n) for n in range(2_000))
    broker = a_broker(server.url)

    @broker.subscriber("orders", wait_time=0, max_workers=20, prefetch=20)
    async def on_order(body: int):
        await asyncio.sleep(0)
        finished[body] = time.monotonic()

    async with broker:
        await broker.start()
        await eventually(lambda: queue.left == 0, seconds=60)
    lags = sorted(queue.deleted_at[n] - finished[n] for n in range(2_000))
    assert lags[int(0.99 * len(lags))] < 0.1
