"""What the lock of a rebuild promises, over every backend."""
# ruff: noqa: S101, D102 - a suite of tests: it asserts, and its names are its claims

import asyncio

import pytest
from dwh_contracts.clock import ManualClock

from dwh_eventstore.replay import Held, Lock
from dwh_eventstore.replay.lock import LOCK_SECONDS
from dwh_eventstore.store import Store


class LockSuite:
    """Inherit and give a fixture `store`: bootstrapped, its own, over a `ManualClock`."""

    @pytest.fixture
    def clock(self, store: Store) -> ManualClock:
        assert isinstance(store.clock, ManualClock)
        return store.clock

    @pytest.fixture
    def ann(self, store: Store) -> Lock:
        return Lock(store.backend, store.clock, "job-events", "ann@host-7")

    @pytest.fixture
    def bob(self, store: Store) -> Lock:
        return Lock(store.backend, store.clock, "job-events", "bob@host-8")

    async def test_a_rebuild_that_was_paused_longer_than_its_lock_lasts_goes_on_if_nobody_took_it(
        self, clock: ManualClock, ann: Lock, bob: Lock
    ) -> None:
        async with ann.held():
            clock.advance(LOCK_SECONDS)
            await ann.check()
            assert "ann@host-7" in str(await bob.holder())
            clock.advance(LOCK_SECONDS)
            async with bob.held():
                with pytest.raises(Held, match="run it again"):
                    await ann.check()
            with pytest.raises(Held, match="run it again"):
                await ann.check()

    async def test_tasks_that_find_the_lock_run_out_at_once_do_not_take_it_from_each_other(
        self, clock: ManualClock, ann: Lock
    ) -> None:
        async with ann.held():
            clock.advance(LOCK_SECONDS)
            await asyncio.gather(*(ann.check() for _ in range(4)))

    async def test_a_renewal_that_another_of_the_same_holder_overtakes_is_one_too(self, store: Store) -> None:
        lease = await store.leases.acquire("renewed", owner="ann@host-7", seconds=LOCK_SECONDS)
        assert lease is not None
        renewals = [store.leases.renew(lease, seconds=LOCK_SECONDS) for _ in range(3)]
        assert None not in await asyncio.gather(*renewals)

    async def test_a_rebuild_whose_lock_somebody_took_and_gave_back_goes_no_further(
        self, clock: ManualClock, ann: Lock, bob: Lock
    ) -> None:
        async with ann.held():
            clock.advance(LOCK_SECONDS)
            async with bob.held():
                pass
            with pytest.raises(Held, match="run it again"):
                await ann.check()
