from datetime import timedelta

from dwh_contracts.clock import ManualClock
from dwh_eventstore import memory_store
from dwh_eventstore.audit import Sealer
from dwh_eventstore.testing import RunFacts
from dwh_eventstore.testing.audit_suite import KEY
from dwh_eventstore.testing.events import START
from dwh_indexer.seal import LEASE, hourly
from dwh_runtime.leases import LeasedTimer


async def test_of_two_replicas_one_seals_and_once_an_hour():
    clock = ManualClock(START)
    store = memory_store(clock=clock)
    await store.events.append([RunFacts().completed("GREEN")])
    sealer = Sealer(store.backend, KEY, clock)
    timers = [
        LeasedTimer(LEASE, store.leases, owner, clock, hourly(sealer, clock), ttl=300.0)
        for owner in ("a", "b")
    ]
    sealed = set()
    for _ in range(130):  # minutes
        for timer in timers:
            await timer.turn()
        sealed.add(await sealer.last_sealed())
        clock.advance(60)
    assert sorted(sealed) == [START + timedelta(hours=hours) for hours in range(3)]
    assert [timer.held for timer in timers] == [True, False]
