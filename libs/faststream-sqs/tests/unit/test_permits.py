import asyncio
import random

import pytest
from faststream_sqs.consume.permits import Permits


async def test_take_is_at_once_and_full_when_nothing_is_out():
    permits = Permits(30)
    assert await permits.take() == 10
    assert permits.free == 20


async def test_take_waits_a_moment_for_a_full_batch_then_takes_what_is_free():
    permits = Permits(10, linger=0.01)
    await permits.take(7)
    assert await permits.take() == 3


async def test_permits_given_back_meanwhile_make_the_batch_full():
    permits = Permits(10, linger=5)
    await permits.take(7)
    taking = asyncio.create_task(permits.take())
    await asyncio.sleep(0)
    permits.give(7)
    assert await taking == 10


async def test_take_waits_while_nothing_is_free():
    permits = Permits(2)
    await permits.take()
    taking = asyncio.create_task(permits.take())
    await asyncio.sleep(0)
    assert not taking.done()
    permits.give(2)
    assert await taking == 2


async def test_close_ends_every_wait_with_nothing():
    permits = Permits(1)
    await permits.take()
    taking = asyncio.create_task(permits.take())
    await asyncio.sleep(0)
    permits.close()
    assert await taking == 0


async def test_giving_back_more_than_was_taken_is_refused():
    permits = Permits(2)
    with pytest.raises(ValueError, match="1 permits given back, 0 were out"):
        permits.give()


async def test_permits_balance_over_random_takes_and_gives():
    permits, chance, out = Permits(25, linger=0), random.Random(7), []
    for _ in range(10_000):
        if permits.free and chance.random() < 0.5:
            out.append(await permits.take(chance.randint(1, 10)))
        elif out:
            permits.give(out.pop(chance.randrange(len(out))))
        assert permits.free + sum(out) == permits.total
