import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from dwh_contracts.clock import ManualClock, SystemClock

START = datetime(2026, 11, 23, tzinfo=UTC)


async def test_sleepers_wake_in_the_order_of_their_deadlines():
    clock, woken = ManualClock(START), []

    async def sleeper(seconds):
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2, 9)]
    await asyncio.sleep(0)
    assert clock.sleeping == 4
    clock.advance(3)
    await asyncio.gather(*tasks[:3])
    assert (woken, clock.sleeping) == ([1, 2, 3], 1)
    tasks[3].cancel()
    await asyncio.gather(tasks[3], return_exceptions=True)
    clock.advance(6)
    assert (woken, clock.monotonic(), clock.now()) == ([1, 2, 3], 9, START + timedelta(seconds=9))


async def test_no_sleep_is_over_at_once():
    await ManualClock(START).sleep(0)


def test_a_clock_starts_at_an_aware_time():
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake


async def test_the_system_clock_goes_forward_in_utc():
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0)
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() >= before
