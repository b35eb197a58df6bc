"""Read the log and rebuild a read model from it: events per second, memory, differences.

Starts a node of its own, stores runs, reads them all by watermark, then rebuilds `job-events` while others
store events. Figures depend on what else the machine does; the load average stands beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import tempfile
import time
from pathlib import Path

from dwh_contracts.clock import SystemClock
from dwh_contracts.parse import Event
from dwh_eventstore import Store, StoreSettings, bootstrap, open_store
from dwh_eventstore.replay import CatchUp, Rebuild
from dwh_eventstore.testing import RunFacts
from dwh_local import opensearch
from dwh_local.testing import free_port

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
BATCH = 500
UNDER_WAY = 4
BOUNDS = {"catch_up_events_per_second": 12_000, "rebuild_runs_per_second": 500_000 / 300}


def runs(first: int, count: int) -> list[Event]:
    """Runs of one job, completed now."""
    start = SystemClock().now()
    return [RunFacts("measured", f"run-{first + n}", start=start).completed("GREEN") for n in range(count)]


async def fill(store: Store, total: int) -> None:
    """Store so many runs, unfolded."""
    for first in range(0, total, BATCH * UNDER_WAY):
        parts = range(first, min(first + BATCH * UNDER_WAY, total), BATCH)
        await asyncio.gather(*(store.events.append(runs(part, min(BATCH, total - part))) for part in parts))


async def catch_up(store: Store) -> tuple[float, float]:
    """Events per second as stored documents, and as typed events."""
    reader = CatchUp(store.backend)
    rates = []
    for typed in (False, True):
        mark = await reader.watermark()
        started, count = time.perf_counter(), 0
        async for batch in reader.read({}, mark):
            count += len(batch.events() if typed else batch.found)
        rates.append(count / (time.perf_counter() - started))
    return rates[0], rates[1]


async def traffic(store: Store, per_second: int) -> None:
    """Record so many events a second until cancelled, a tenth of them at a time."""
    number = 10_000_000
    while True:
        started = time.perf_counter()
        await store.record(runs(number, per_second // 10))
        number += per_second // 10
        await asyncio.sleep(max(0.0, 0.1 - (time.perf_counter() - started)))


async def rebuild(store: Store, total: int, per_second: int) -> dict[str, float | int]:
    """The rebuild under traffic, with and without the comparison that ends it."""
    marks: dict[str, float] = {}

    def progress(step: str, done: int, of: int) -> None:
        if done == of:
            marks[step] = time.perf_counter()

    writing = asyncio.create_task(traffic(store, per_second))
    started = time.perf_counter()
    made = Rebuild(store.backend, "job-events", owner="bench", clock=store.clock, progress=progress)
    verified = await made.run()
    whole = time.perf_counter() - started
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    filled = marks["closing pass"] - started
    return {
        "rebuild_runs_per_second": total / filled,
        "rebuild_seconds": filled,
        "rebuild_and_verify_seconds": whole,
        "differences": len(verified.differences),
        "documents": verified.documents,
    }


async def measure(url: str, total: int, per_second: int) -> dict[str, float | int]:
    """All figures against one node."""
    settings = StoreSettings(url=url, environment="local", service="bench", timeout_seconds=60)
    await bootstrap(settings)
    store = await open_store(settings)
    await fill(store, total)
    stored, typed = await catch_up(store)
    figures: dict[str, float | int] = {
        "runs": total,
        "catch_up_events_per_second": stored,
        "catch_up_typed_events_per_second": typed,
        **await rebuild(store, total, per_second),
        "most_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "load_average": os.getloadavg()[0],
    }
    await store.close()
    return figures


def main() -> None:
    """Measure, print, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50_000)
    parser.add_argument("--traffic", type=int, default=200, help="events per second during the rebuild")
    parser.add_argument("--line", help="of OpenSearch: 2.19 or 3.8")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        port = free_port(opensearch.LOWEST_PORT, opensearch.HIGHEST_PORT - 1)
        node = opensearch.start_node(Path(directory), port, asked.line)
        try:
            figures = asyncio.run(measure(node.url, asked.runs, asked.traffic))
        finally:
            node.stop()
    for name, figure in figures.items():
        bound = f"   bound {BOUNDS[name]:,.0f}" if name in BOUNDS else ""
        print(f"{name:<34} {figure:>12,.0f}{bound}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    told = {"machine": f"{platform.machine()}, {os.cpu_count()} cores", **figures}
    (RESULTS / "store-reading.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
