import time
from pathlib import Path

import pytest
from dwh_contracts.parse import event_from_body

pytestmark = pytest.mark.integration
DYING = Path(__file__).with_name("dying_indexer.py")


async def folded(indexer, event):
    return await indexer.store.read_models.get("job-events", event.event_id)


async def test_an_emitted_event_is_in_the_store_and_the_read_models_and_leaves_the_queue(indexer):
    event = event_from_body(indexer.a_run())
    indexer.start()
    await indexer.emit(event.body)
    document = await indexer.until(lambda: folded(indexer, event))
    assert document["status"] == event.body["status"]
    stored = await indexer.store.events.get(event.event_id, event.timestamp)
    assert stored.body == event.body
    await indexer.until(indexer.empty)
    assert indexer.stop() == 0


async def test_killed_after_the_append_before_the_fold_loses_nothing(indexer):
    event = event_from_body(indexer.a_run())
    await indexer.emit(event.body)
    indexer.start(DYING)
    assert indexer.died() == 137
    assert await indexer.store.events.get(event.event_id, event.timestamp) is not None
    assert await folded(indexer, event) is None

    indexer.start()
    await indexer.until(lambda: folded(indexer, event))
    await indexer.until(indexer.empty)
    assert indexer.stop() == 0
    await indexer.store.refresh()
    found = await indexer.store.events.find("job", {"job_run_id": event.job_run_id})
    assert len(found) == 1


async def test_bad_messages_are_quarantined_beside_good_ones(indexer):
    event = event_from_body(indexer.a_run())
    conflicting = event.body | {"producer": "somebody else"}
    bad = f'{{"not": "ours", "from": "{indexer.environment}"'
    indexer.start()
    await indexer.emit(event.body)
    await indexer.until(lambda: folded(indexer, event))
    await indexer.emit(bad.encode())
    await indexer.emit(conflicting)

    async def both():
        records = await indexer.store.quarantine.list(limit=1000)
        mine = {r["reason"] for r in records if r["raw"] == bad or event.event_id in r["raw"]}
        return mine if len(mine) == 2 else None

    assert await indexer.until(both) == {"not-json", "conflicting-content"}
    await indexer.until(indexer.empty)
    assert indexer.stop() == 0


async def test_at_rest_an_event_is_searchable_within_one_and_a_half_seconds(indexer):
    warm_up = event_from_body(indexer.a_run(job_run_id=f"warm-{indexer.environment}"))
    event = event_from_body(indexer.a_run())
    indexer.start()
    await indexer.emit(warm_up.body)
    await indexer.until(lambda: folded(indexer, warm_up))

    async def searchable():
        return (await indexer.store.read_models.search("job-events", {"job_run_id": event.job_run_id})).items

    began = time.monotonic()
    await indexer.emit(event.body)
    assert await indexer.until(searchable)
    took = time.monotonic() - began
    assert took < 1.5
