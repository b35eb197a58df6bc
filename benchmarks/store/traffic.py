"""What goes on while a read model is rebuilt: events that are stored and folded, and a reader who looks.

A process of its own. Says on standard output, as JSON, what it saw when it is told to end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time

from dwh_eventstore import Store, StoreSettings, open_store
from dwh_eventstore.errors import StoreError
from dwh_runtime import collector
from measured_events import ENVIRONMENT, events, plain

JOB = "measured_live"
TICK_SECONDS = 0.1
LOOK_SECONDS = 0.05


class Traffic:
    """Writer and reader, and what they saw."""

    def __init__(self, store: Store, per_second: int) -> None:
        self._store = store
        self._per_tick = max(1, round(per_second * TICK_SECONDS))
        self.recorded = 0
        self.looks = 0
        self.missing = 0
        """Looks that found no read model, or not the document that was there before."""
        self.indices: set[str] = set()

    async def write(self, first: int) -> None:
        """Record until cancelled."""
        started = time.monotonic()
        while True:
            await self._store.record(events(plain, JOB, first + self.recorded, self._per_tick))
            self.recorded += self._per_tick
            due = started + self.recorded / (self._per_tick / TICK_SECONDS)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def look(self, known: str, run: str) -> None:
        """Read by id and by search until cancelled."""
        while True:
            self.looks += 1
            try:
                self.indices.add(str(await self._store.backend.resolve("job-events")))
                document = await self._store.read_models.get("job-events", known)
                page = await self._store.read_models.search(
                    "job-events", {"job_name": JOB, "job_run_id": run}
                )
                self.missing += document is None or len(page.items) != 1
            except StoreError:
                self.missing += 1
            await asyncio.sleep(LOOK_SECONDS)


async def main() -> None:
    """Until the signal to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--per-second", type=int, default=200)
    asked = parser.parse_args()
    collector.spare()
    settings = StoreSettings(url=asked.url, environment=ENVIRONMENT, service="bench", timeout_seconds=60)
    store = await open_store(settings)
    traffic = Traffic(store, asked.per_second)
    [known] = events(plain, JOB, 0, 1)
    await store.record([known])
    await store.refresh()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    print("ready", flush=True)
    tasks = [
        asyncio.create_task(traffic.write(1)),
        asyncio.create_task(traffic.look(known.event_id, known.job_run_id)),
    ]
    end = asyncio.create_task(ended.wait())
    await asyncio.wait([*tasks, end], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    failed = [each for each in await asyncio.gather(*tasks, return_exceptions=True) if _is_failure(each)]
    await store.close()
    seen = {"recorded": traffic.recorded, "looks": traffic.looks, "missing": traffic.missing}
    print(json.dumps({**seen, "indices": sorted(traffic.indices), "failed": [str(each) for each in failed]}))


def _is_failure(answer: object) -> bool:
    return isinstance(answer, Exception)


if __name__ == "__main__":
    asyncio.run(main())
