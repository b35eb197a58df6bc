import asyncio

from faststream_sqs.consume.permits import Permits
from faststream_sqs.consume.poller import Poller
from faststream_sqs.testing import eventually
from faststream_sqs.testing.clock import settled
from faststream_sqs.transport.protocol import RawMessage, TransportError


class Queue:
    """Hands out what the test feeds; empty polls wait until fed or closed."""

    def __init__(self):
        self.fed = asyncio.Queue()
        self.polls = 0

    async def receive(self, limit):
        self.polls += 1
        answer = await self.fed.get()
        if isinstance(answer, Exception):
            raise answer
        return [RawMessage(f"m{n}", f"r{n}", "") for n in range(answer)]


def a_poller(queue, clock, *, permits=None, max_lanes=3):
    arrived = []
    poller = Poller(
        queue.receive,
        arrived.extend,
        permits or Permits(1000),
        clock,
        wait_seconds=20,
        max_lanes=max_lanes,
    )
    return poller, arrived


async def test_lanes_grow_on_full_receives_and_shrink_to_one_on_empty_ones(clock):
    queue = Queue()
    poller, arrived = a_poller(queue, clock)
    poller.start()
    for _ in range(4):
        queue.fed.put_nowait(10)
    await eventually(lambda: len(poller.lanes) == 3 and len(arrived) == 40)
    for _ in range(8):
        queue.fed.put_nowait(0)
        await eventually(queue.fed.empty)
        await settled()
    await eventually(lambda: len(poller.lanes) == 1)
    await poller.cancel()


async def test_loop_survives_every_error_and_goes_on_after_a_back_off(clock):
    queue = Queue()
    poller, arrived = a_poller(queue, clock)
    poller.start()
    for n, error in enumerate(
        (TransportError("Throttling", ""), RuntimeError("a bug"), KeyError("Messages"))
    ):
        queue.fed.put_nowait(error)
        await eventually(lambda: clock.sleepers == 1)
        assert poller.turning
        await clock.advance(0.5 * 2**n)
    assert poller.failures == 3
    queue.fed.put_nowait(1)
    await eventually(lambda: len(arrived) == 1)
    assert poller.failures == 0
    await poller.cancel()


async def test_poll_that_failed_by_a_time_out_is_followed_by_the_next_at_once(clock):
    queue = Queue()
    poller, _ = a_poller(queue, clock)
    poller.start()
    await eventually(lambda: queue.polls == 1)
    await clock.advance(30)
    queue.fed.put_nowait(TransportError("ReadTimeoutError", ""))
    await eventually(lambda: queue.polls == 2)
    await poller.cancel()


async def test_unused_permits_come_back(clock):
    queue, permits = Queue(), Permits(10)
    poller, _ = a_poller(queue, clock, permits=permits)
    poller.start()
    queue.fed.put_nowait(3)
    await eventually(lambda: queue.polls == 2)
    assert permits.taken == 3 + 7  # three held, the next poll asks for the rest
    await poller.cancel()
    assert permits.taken == 3


async def test_poll_that_does_not_come_back_stops_turning_and_an_idle_one_does_not(clock):
    queue = Queue()
    poller, _ = a_poller(queue, clock)
    poller.start()
    await eventually(lambda: queue.polls == 1)
    await clock.advance(59)
    assert poller.turning
    await clock.advance(2)
    assert not poller.turning
    await poller.cancel()


async def test_waiting_for_permits_and_a_pause_count_as_turning(clock):
    queue, permits = Queue(), Permits(1)
    poller, _ = a_poller(queue, clock, permits=permits)
    poller.start()
    queue.fed.put_nowait(1)
    await eventually(lambda: permits.free == 0)
    await clock.advance(1000)
    assert poller.turning
    poller.pause()
    permits.give()
    await clock.advance(1000)
    assert poller.turning
    await poller.cancel()


async def test_stop_lets_a_live_poll_come_back(clock):
    queue = Queue()
    poller, arrived = a_poller(queue, clock)
    poller.start()
    await eventually(lambda: queue.polls == 1)
    poller.stop()
    assert not await poller.wait_ended(0.01)
    queue.fed.put_nowait(1)
    assert await poller.wait_ended(5)
    assert len(arrived) == 1
