"""One rebuild of `job-events`, in a process of its own so that its memory is its own. Answers in JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time

from dwh_eventstore import StoreSettings, open_store
from dwh_eventstore.replay import Rebuild
from dwh_runtime import collector
from measured_events import ENVIRONMENT


async def main() -> None:
    """Rebuild, verify, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    asked = parser.parse_args()
    collector.spare()
    settings = StoreSettings(
        url=asked.url,
        environment=ENVIRONMENT,
        service="bench",
        timeout_seconds=60,
        busy_patience_seconds=180,  # as `dwh store rebuild` has
    )
    store = await open_store(settings)
    ends: dict[str, float] = {}

    def progress(step: str, done: int, total: int) -> None:
        if done == total:
            ends.setdefault(step, time.perf_counter())

    started, cpu = time.perf_counter(), time.process_time()
    rebuild = Rebuild(store.backend, "job-events", owner="bench", clock=store.clock, progress=progress)
    verified = await rebuild.run()
    whole = time.perf_counter() - started
    cpu = time.process_time() - cpu
    await store.close()
    told = {
        "filled_seconds": ends["closing pass"] - started,
        "seconds": whole,
        "cpu_seconds": cpu,
        "documents": verified.documents,
        "differences": len(verified.differences),
        "most_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main())
