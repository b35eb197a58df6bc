from datetime import UTC, datetime

from dwh_contracts.clock import ManualClock
from dwh_eventstore import memory_store
from dwh_runtime.announce import brake_announcer


async def test_each_move_of_the_brake_is_one_fact():
    clock = ManualClock(datetime(2026, 11, 1, tzinfo=UTC))
    store = memory_store(environment="local", clock=clock)
    announce = brake_announcer("q", environment="local", service="indexer", clock=clock, record=store.record)
    await announce(True)
    clock.advance(60)
    await announce(False)
    facts = await store.events.find("effect", {"service": "indexer"})
    assert [fact.event_type for fact in facts] == ["brake_engaged", "brake_released"]


async def test_an_absent_store_does_not_hold_the_brake():
    async def away(_events):
        raise ConnectionError("refused")

    clock = ManualClock(datetime(2026, 11, 1, tzinfo=UTC))
    announce = brake_announcer("q", environment="local", service="indexer", clock=clock, record=away)
    await announce(True)
