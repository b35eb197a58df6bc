"""Job names from outside: each its own index, and of those that could be something else none at all."""

import hashlib

import pytest
from dwh_contracts.parse import event_from_body

pytestmark = pytest.mark.integration
BAD = ["../x", "_all", "a,b", "images\N{FRAME WITH PICTURE}", "*", "-rm", "job events", "x" * 201]


PATIENT = {"DWH_HANDLER_SECONDS": "60", "DWH_VISIBILITY_SECONDS": "60"}
"""Seven new indices in one batch take seconds on a busy machine."""
PATIENCE_SECONDS = 120


def own_index(name: str) -> str:
    """As the contract has it, computed here by other means."""
    plain = name == name.lower() and name.replace("_", "").isalnum() and len(name) <= 100
    mapped = "".join(c if c.isalnum() else "-" for c in name.lower())[:100]
    return mapped if plain else f"{mapped}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


async def indices_of(indexer):
    return set(await indexer.store.backend.names("*"))


async def test_jobs_whose_names_collide_have_indices_of_their_own(indexer):
    tag = indexer.environment
    names = [f"{tag}_images", f"{tag}-images", f"{tag}.images", f"{tag}_IMAGES", f"{tag}_Images"]
    names += [(tag + "x" * 200)[:200], (tag + "x" * 200)[:199]]
    events = [event_from_body(indexer.a_run(job_name=name)) for name in names]
    indexer.start(**PATIENT)
    for event in events:
        await indexer.emit(event.body)
    await indexer.until(indexer.empty, PATIENCE_SECONDS)
    assert indexer.stop() == 0
    for name, event in zip(names, events, strict=True):
        alias = f"job-events-{own_index(name)}"
        found = await indexer.store.read_models.get(alias, event.event_id)
        assert found is not None, alias
        assert found["job_name"] == name
    made = {await indexer.store.backend.resolve(f"job-events-{own_index(name)}") for name in names}
    assert len(made) == len(names)


async def test_names_that_could_be_something_else_are_quarantined_and_touch_nothing(indexer):
    good = event_from_body(indexer.a_run())
    bad = [indexer.a_run(job_name=name) for name in BAD]
    indexer.start(**PATIENT)
    await indexer.emit(good.body)
    own = f"job-events-{own_index(str(good.job_name))}"
    await indexer.until(lambda: indexer.store.read_models.get(own, good.event_id), PATIENCE_SECONDS)
    await indexer.until(indexer.empty, PATIENCE_SECONDS)
    before = await indices_of(indexer)
    for body in bad:
        await indexer.emit(body)

    async def refused():
        records = await indexer.store.quarantine.list(limit=1000)
        mine = [r for r in records if indexer.environment in r["raw"]]
        return mine if len(mine) == len(BAD) else None

    records = await indexer.until(refused, PATIENCE_SECONDS)
    await indexer.until(indexer.empty, PATIENCE_SECONDS)
    assert indexer.stop() == 0
    assert {(record["reason"], record["path"]) for record in records} == {("bad-name", "job_name")}
    assert await indices_of(indexer) == before
    await indexer.store.refresh()
    where = {"environment": indexer.environment}
    assert [each.event_id for each in await indexer.store.events.find("job", where)] == [good.event_id]
