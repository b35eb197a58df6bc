import asyncio
from datetime import UTC, datetime

import pytest
from dwh_contracts.clock import ManualClock
from dwh_runtime.brake import PoisonBrake
from dwh_runtime.outcomes import Retry


class Queue:
    """A queue whose receiving can be paused, with a brake on it."""

    def __init__(self):
        self.clock = ManualClock(datetime(2026, 11, 1, tzinfo=UTC))
        self.receiving = True
        self.announced = []
        self.brake = PoisonBrake(self.pause, self.resume, self.clock, announce=self.announce)

    async def pause(self):
        self.receiving = False

    async def resume(self):
        self.receiving = True

    async def announce(self, engaged):
        self.announced.append(engaged)

    async def refuse(self, times):
        for _ in range(times):
            await self.brake.admit()
            await self.brake.refused()

    async def pass_time(self, seconds):
        for _ in range(5):
            await asyncio.sleep(0)
        self.clock.advance(seconds)
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
def queue():
    return Queue()


async def test_ninety_nine_refusals_in_a_row_change_nothing_and_the_hundredth_engages(queue):
    await queue.refuse(99)
    assert (queue.brake.engaged, queue.receiving) == (False, True)
    await queue.refuse(1)
    assert (queue.brake.engaged, queue.receiving, queue.announced) == (True, False, [True])


async def test_a_good_message_begins_the_count_anew(queue):
    await queue.refuse(99)
    await queue.brake.good()
    await queue.refuse(99)
    assert not queue.brake.engaged


async def test_one_message_passes_each_60_seconds_of_those_already_received(queue):
    await queue.refuse(100)
    waiting = [asyncio.create_task(queue.brake.admit()) for _ in range(5)]
    await queue.pass_time(59)
    assert sum(task.done() for task in waiting) == 0
    for passed in (1, 2, 3):
        await queue.pass_time(60 if passed > 1 else 1)
        assert sum(task.done() for task in waiting) == passed
    for task in waiting:
        task.cancel()


async def test_the_first_good_one_releases_everybody(queue):
    await queue.refuse(100)
    waiting = [asyncio.create_task(queue.brake.admit()) for _ in range(5)]
    await queue.pass_time(60)
    await queue.brake.good()
    await queue.pass_time(0)
    assert all(task.done() for task in waiting)
    assert (queue.brake.engaged, queue.receiving, queue.announced) == (False, True, [True, False])


async def test_a_turn_opens_the_queue_only_when_nobody_waits(queue):
    running = asyncio.create_task(queue.brake.run())
    await queue.refuse(100)
    await queue.pass_time(59)
    assert not queue.receiving
    await queue.pass_time(1)
    assert queue.receiving
    await queue.brake.admit()
    assert not queue.receiving
    running.cancel()


async def test_a_stop_sends_waiting_messages_back_at_once(queue):
    running = asyncio.create_task(queue.brake.run())
    await queue.refuse(100)
    waiting = asyncio.create_task(queue.brake.admit())
    await queue.pass_time(1)
    running.cancel()
    with pytest.raises(Retry) as caught:
        await waiting
    assert caught.value.after == 0
