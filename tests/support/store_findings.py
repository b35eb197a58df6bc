"""What a store holds, and where that is not what it must be."""

from dwh_eventstore import indices
from dwh_eventstore.replay import CatchUp, verify
from store_oracle import expected, incident, line


async def logged(store):
    """Ids of all events of the store's environment, as often as they stand in the log, with their bodies."""
    reader, found = CatchUp(store.backend), []
    async for batch in reader.read({}, await reader.watermark()):
        found += [event for event in batch.events() if event.environment == store.environment]
    return found


async def faults_of_read_models(store, bodies, *, against_log=True):
    """What read models show otherwise than the oracle, and otherwise than a fold of the whole log."""
    faults = []
    for model, wanted in expected(bodies).items():
        found = [body for body in await _documents(store, model) if body["environment"] == store.environment]
        faults += [f"{model}: {fault}" for fault in _unlike(model, found, wanted)]
    for verified in await verify(store.backend, None, clock=store.clock) if against_log else ():
        faults += [f"{verified.name} differs from the log: {each}" for each in verified.differences]
    return faults


async def _documents(store, model):
    index = await store.backend.resolve(model)
    if index is None:
        return []
    shards = await store.backend.shards([index])
    await store.backend.refresh([index])
    return [
        {name: value for name, value in found.body.items() if name != "fold"}
        for shard in shards
        async for page in store.backend.scan(shard, -1)
        for found in page
    ]


def _unlike(model, found, wanted):
    if model == indices.JOB_LINE_ITEMS:
        lines = sorted((line(body) for body in found), key=repr)
        return [] if lines == sorted(wanted, key=repr) else [f"{len(lines)} lines, not these {len(wanted)}"]
    told = {body["id"]: incident(body) if model == indices.JOB_ALERTS else body for body in found}
    names = {*told, *wanted}
    return [
        f"{name} is {told.get(name)}, not {wanted.get(name)}"
        for name in sorted(names)
        if told.get(name) != wanted.get(name)
    ]


async def quarantined(store):
    """Reasons of the refused messages by id."""
    records = await store.quarantine.list(None, limit=10_000)
    return {str(record["quarantine_id"]): str(record["reason"]) for record in records}
