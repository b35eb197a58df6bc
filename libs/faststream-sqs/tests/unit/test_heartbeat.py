import asyncio

from faststream_sqs.consume.consumer import ConsumeOptions, QueueConsumer
from faststream_sqs.schemas import Heartbeat
from faststream_sqs.testing import MemoryTransport, eventually
from faststream_sqs.transport.protocol import OutgoingMessage, TransportError


def quiet(level, text, error):
    pass


async def started(clock, run, *, messages=1, **options):
    transport = MemoryTransport(clock)
    transport.create_queue("orders")
    settings = ConsumeOptions(**({"queue": "orders", "visibility": 60, "max_workers": 1000} | options))
    consumer = QueueConsumer(settings, transport, clock, run, quiet)
    await transport.send("memory://queues/orders", [OutgoingMessage("x")] * messages)
    consumer.start()
    return transport, consumer


async def stopped(consumer, clock):
    stopping = asyncio.create_task(consumer.stop(0.2))
    while not stopping.done():
        await clock.advance(20)
        await asyncio.sleep(0.005)


async def test_handler_of_three_visibility_times_sees_its_message_once(clock):
    finish, runs = asyncio.Event(), []

    async def run(group):
        runs.append(group)
        await finish.wait()
        await group[0].control.ack(group[0])

    transport, consumer = await started(clock, run)
    await eventually(lambda: len(runs) == 1)
    for _ in range(36):
        await clock.advance(5)
        await asyncio.sleep(0.03)
    finish.set()
    await eventually(lambda: transport.bodies("orders") == [])
    assert len(runs) == 1
    assert runs[0][0].raw.receive_count == 1
    await stopped(consumer, clock)


async def test_a_thousand_messages_are_extended_ten_to_a_call(clock):
    finish, runs = asyncio.Event(), []

    async def run(group):
        runs.append(group)
        await finish.wait()

    transport, consumer = await started(clock, run, messages=1000)
    await eventually(lambda: len(runs) == 1000)
    await clock.advance(31)
    await eventually(lambda: transport.calls.count("change_visibility") >= 100)
    await eventually(lambda: all(group[0].lock_until > 60 for group in runs))
    assert transport.calls.count("change_visibility") == 100
    finish.set()
    await stopped(consumer, clock)


async def test_lost_lock_is_flagged_and_the_successor_keeps_its_message(clock):
    finish, runs = asyncio.Event(), []

    async def run(group):
        runs.append(group[0])
        await finish.wait()
        await group[0].control.ack(group[0])

    transport, consumer = await started(clock, run)
    await eventually(lambda: len(runs) == 1)
    consumer.pause()
    (stored,) = transport._queues["memory://queues/orders"].messages
    stored.receipt = "taken-by-somebody-else"
    await clock.advance(31)
    await eventually(lambda: runs[0].lock_lost)
    assert consumer.held == 0
    finish.set()
    await eventually(lambda: consumer.workers.running == 0)
    assert transport.bodies("orders") == ["x"]
    assert transport.calls.count("delete") == 0
    await stopped(consumer, clock)


async def test_lost_lock_cancels_the_handler_when_asked_to(clock):
    cancelled, runs = asyncio.Event(), []

    async def run(group):
        runs.append(group[0])
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    transport, consumer = await started(clock, run, heartbeat=Heartbeat(cancel_on_loss=True))
    await eventually(lambda: len(runs) == 1)
    consumer.pause()
    transport._queues["memory://queues/orders"].messages[0].receipt = "taken-by-somebody-else"
    await clock.advance(31)
    await eventually(cancelled.is_set)
    await stopped(consumer, clock)


async def test_beats_end_at_their_limit(clock):
    runs = []

    async def run(group):
        runs.append(group[0])
        await asyncio.Event().wait()

    _, consumer = await started(clock, run, heartbeat=Heartbeat(limit=90))
    await eventually(lambda: len(runs) == 1)
    consumer.pause()
    for _ in range(30):
        await clock.advance(5)
        await asyncio.sleep(0.03)
    assert runs[0].lock_until <= 90
    await stopped(consumer, clock)


async def test_without_a_heartbeat_the_lock_is_lost_with_the_visibility_and_nothing_is_deleted(clock):
    finish, runs = asyncio.Event(), []

    async def run(group):
        runs.append(group[0])
        await finish.wait()
        await group[0].control.ack(group[0])

    transport, consumer = await started(clock, run, heartbeat=Heartbeat(enabled=False))
    await eventually(lambda: len(runs) == 1)
    consumer.pause()
    await clock.advance(59)
    assert not runs[0].lock_lost
    await clock.advance(1)
    assert runs[0].lock_lost
    assert consumer.held == 0
    finish.set()
    await eventually(lambda: consumer.workers.running == 0)
    assert (transport.bodies("orders"), transport.calls.count("delete")) == (["x"], 0)
    await stopped(consumer, clock)


async def test_work_done_after_a_lost_lock_is_not_done_again_by_this_process(clock):
    finish, runs = asyncio.Event(), []

    async def run(group):
        runs.append(group[0])
        await finish.wait()
        await group[0].control.ack(group[0])

    transport, consumer = await started(clock, run, heartbeat=Heartbeat(enabled=False), max_workers=1)
    await eventually(lambda: len(runs) == 1)
    await clock.advance(60)
    finish.set()
    async with asyncio.timeout(30):
        while transport.bodies("orders"):  # the same message, received again by one of the next polls
            await clock.advance(1)
            await asyncio.sleep(0.005)
    assert [run.raw.receive_count for run in runs] == [1]
    await stopped(consumer, clock)


async def test_an_sqs_that_is_away_costs_the_lock_when_it_runs_out_not_later(clock):
    runs = []

    async def run(group):
        runs.append(group[0])
        await asyncio.Event().wait()

    transport, consumer = await started(clock, run)
    await eventually(lambda: len(runs) == 1)
    consumer.pause()

    under_way = asyncio.Event()

    async def hangs(url, changes):
        under_way.set()
        await asyncio.Event().wait()

    transport.change_visibility = hangs
    await clock.advance(31)
    await eventually(under_way.is_set)  # calls are collected for some milliseconds of the machine's clock
    await clock.advance(59.5 - clock.monotonic())
    assert not runs[0].lock_lost
    await clock.advance(0.5)
    await eventually(lambda: runs[0].lock_lost)
    await stopped(consumer, clock)


async def test_one_failed_beat_is_made_good_before_the_lock_runs_out(clock):
    finish, runs, answers = asyncio.Event(), [], [TransportError("Throttling", "")]

    async def run(group):
        runs.append(group[0])
        await finish.wait()

    transport, consumer = await started(clock, run)
    await eventually(lambda: len(runs) == 1)
    change = transport.change_visibility

    async def flaky(url, changes):
        if answers:
            raise answers.pop()
        return await change(url, changes)

    transport.change_visibility = flaky
    await clock.advance(31)
    await eventually(lambda: not answers)
    await clock.advance(1)
    await eventually(lambda: runs[0].lock_until > 60)
    await clock.advance(40)
    assert not runs[0].lock_lost
    finish.set()
    await stopped(consumer, clock)


async def test_beat_follows_an_extension_by_the_handler(clock):
    runs, extended = [], []

    async def run(group):
        runs.append(group[0])
        extended.append(await group[0].control.extend(group[0], 10))
        await asyncio.Event().wait()

    _, consumer = await started(clock, run)
    await eventually(lambda: extended == [True])
    for _ in range(20):
        await clock.advance(5)
        await asyncio.sleep(0.03)
    assert not runs[0].lock_lost
    assert runs[0].raw.receive_count == 1
    await stopped(consumer, clock)


async def test_lock_past_its_limit_is_flagged_and_its_permit_comes_back(clock):
    runs = []

    async def run(group):
        runs.append(group[0])
        await asyncio.Event().wait()

    _, consumer = await started(clock, run, heartbeat=Heartbeat(limit=90))
    await eventually(lambda: len(runs) == 1)
    consumer.pause()
    for _ in range(19):
        await clock.advance(5)
        await asyncio.sleep(0.03)
    assert runs[0].lock_lost
    assert consumer.held == 0
    await stopped(consumer, clock)
