"""Rows about reading the log: catching up beside raw pages, hashing, and the whole audit."""

from __future__ import annotations

import time

from dwh_eventstore import Store, indices
from dwh_eventstore.audit import AuditKey, Sealer, audit
from dwh_eventstore.hashing import content_hash
from dwh_eventstore.replay import CatchUp, partitions
from measured_events import plain
from node import PAGE, Raw
from table import Row, percent

KEY = AuditKey("42" * 32)
HASHED = 20_000


async def measure(store: Store, raw: Raw, rounds: int) -> list[Row]:
    """Each in turn over the whole log, so that all meet the same load of the machine."""
    sealed = time.perf_counter()
    await Sealer(store.backend, KEY, store.clock).seal()
    sealed = time.perf_counter() - sealed
    reader = CatchUp(store.backend, partitions("job"))
    mark = await reader.watermark()
    [shard] = [shard for shard in mark.shards if shard.checkpoint > PAGE and shard.index != indices.LATE]
    raw_seconds = ours_seconds = typed_seconds = audit_seconds = cpu_seconds = 0.0
    raw_count = ours_count = audit_count = 0
    for number in range(-1, rounds):  # the first warms up
        started, cpu = time.perf_counter(), time.process_time()
        count = 0
        async for batch in reader.read({}, mark):
            count += len(batch.found)
        ours, cpu = time.perf_counter() - started, time.process_time() - cpu
        started = time.perf_counter()
        pages = await raw.pages(shard.index, range(shard.checkpoint + 1))
        plain_seconds = time.perf_counter() - started
        started = time.perf_counter()
        async for batch in reader.read({}, mark):
            batch.events()
        typed = time.perf_counter() - started
        started = time.perf_counter()
        audited = await audit(store.backend, KEY)
        audit_took = time.perf_counter() - started
        if audited.findings:
            raise RuntimeError(f"the audit found {audited.findings[:3]} in a log that nobody touched")
        if number >= 0:
            ours_seconds += ours
            cpu_seconds += cpu
            raw_seconds += plain_seconds
            typed_seconds += typed
            audit_seconds += audit_took
            raw_count += pages
            ours_count += count
            audit_count += audited.events
    ours_rate, raw_rate = ours_count / ours_seconds, raw_count / raw_seconds
    return [
        Row("catch-up read", ours_rate, "events/s", 12_000),
        percent("catch-up read beside raw pages", ours_rate, raw_rate, None, "pages of 2,000"),
        Row("catch-up read as events", ours_count / typed_seconds, "events/s"),
        Row("catch-up read, processor time of the client", cpu_seconds / ours_count * 1e6, "µs/event"),
        Row("audit, hashing", _hashing(), "events/s", 50_000),
        percent("audit beside the catch-up read", audit_count / audit_seconds, ours_rate, 80, "end to end"),
        Row("sealing", ours_count / rounds / sealed, "events/s"),
    ]


def _hashing() -> float:
    bodies = [plain("measured", number) for number in range(HASHED)]
    started = time.perf_counter()
    for body in bodies:
        content_hash(body)
    return HASHED / (time.perf_counter() - started)
