import asyncio
from datetime import UTC, datetime

import pytest
from dwh_contracts.clock import ManualClock
from dwh_eventstore import memory_store
from dwh_runtime.leases import LeasedTimer


class Replicas:
    def __init__(self):
        self.clock = ManualClock(datetime(2026, 11, 1, tzinfo=UTC))
        self.store = memory_store(environment="local", clock=self.clock)
        self.ticks, self.lost = [], []
        self.away = False

    def timer(self, owner, *, fail=False):
        async def tick():
            self.ticks.append(owner)
            if fail:
                raise ConnectionError("store away")

        return LeasedTimer("test", self, owner, self.clock, tick, lost=lambda: self.lost.append(owner))

    async def acquire(self, name, *, owner, seconds):
        if self.away:
            raise ConnectionError("store away")
        return await self.store.leases.acquire(name, owner=owner, seconds=seconds)

    async def release(self, lease):
        await self.store.leases.release(lease)


@pytest.fixture
def replicas():
    return Replicas()


async def test_one_replica_ticks_at_a_time(replicas):
    first, second = replicas.timer("a"), replicas.timer("b")
    for _ in range(30):
        await first.turn()
        await second.turn()
        replicas.clock.advance(1)
    assert replicas.ticks == ["a"] * 30


async def test_a_dead_holder_is_replaced_after_its_term_and_not_before(replicas):
    first, second = replicas.timer("a"), replicas.timer("b")
    await first.turn()
    replicas.clock.advance(14.9)
    await second.turn()
    assert replicas.ticks == ["a"]
    replicas.clock.advance(0.1)
    await second.turn()
    assert replicas.ticks == ["a", "b"]


async def test_a_replaced_holder_stops_ticking_at_its_next_renewal(replicas):
    first, second = replicas.timer("a"), replicas.timer("b")
    await first.turn()
    replicas.clock.advance(15)
    await second.turn()
    await first.turn()
    assert replicas.ticks == ["a", "b"]
    assert not first.held


async def test_a_failing_tick_is_tried_again_at_the_next_interval(replicas):
    timer = replicas.timer("a", fail=True)
    await timer.turn()
    await timer.turn()
    assert replicas.ticks == ["a", "a"]


async def test_a_stopped_holder_gives_the_lease_back_at_once(replicas):
    first, second = replicas.timer("a"), replicas.timer("b")
    running = asyncio.create_task(first.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await second.turn()
    assert replicas.ticks[-1] == "b"


async def test_a_holder_takes_back_once_what_it_showed_when_somebody_else_has_the_lease(replicas):
    first, second = replicas.timer("a"), replicas.timer("b")
    await first.turn()
    replicas.clock.advance(15)
    await second.turn()
    assert replicas.lost == []
    for _ in range(3):
        await first.turn()
    assert replicas.lost == ["a"]
    replicas.clock.advance(15)
    await first.turn()
    await second.turn()
    assert replicas.lost == ["a", "b"]


async def test_a_holder_that_cannot_renew_takes_back_at_the_end_of_its_term_and_not_before(replicas):
    timer = replicas.timer("a")
    await timer.turn()
    replicas.away = True
    replicas.clock.advance(14.9)
    await timer.turn()
    assert replicas.lost == []
    replicas.clock.advance(0.1)
    await timer.turn()
    await timer.turn()
    assert replicas.lost == ["a"]


async def test_a_tick_that_fails_takes_nothing_back_while_the_lease_is_ours(replicas):
    timer = replicas.timer("a", fail=True)
    for _ in range(3):
        await timer.turn()
        replicas.clock.advance(10)
    assert (len(replicas.ticks), replicas.lost) == (3, [])


async def test_a_stopped_holder_takes_back_and_one_that_never_ticked_has_nothing_to(replicas):
    first, second = replicas.timer("a"), replicas.timer("b")
    await first.turn()
    await second.turn()
    for timer in (second, first):
        running = asyncio.create_task(timer.run())
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert replicas.lost == ["a"]
