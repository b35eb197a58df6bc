"""Measure the event store: every row of its acceptance table, with its bound, in one run on the same events.

Starts a node of its own (and a Postgres for the peers). Figures depend on what else the machine does: the
load average stands beside them, and whatever is a ratio was measured in turns with what it is compared to.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import appending
import postgres
import queue_to_visible
import reading
import rebuilding
from dwh_eventstore import Store, StoreSettings, bootstrap, open_store
from dwh_runtime import collector
from measured_events import ENVIRONMENT
from node import Raw, raw, running
from table import HEAD, Row

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
PARTS = ("append", "visible", "read", "rebuild", "peers")


async def measure(url: str, asked: argparse.Namespace, say: Callable[[list[Row]], None]) -> None:
    """All parts that were asked for against one node."""
    collector.spare()
    settings = StoreSettings(url=url, environment=ENVIRONMENT, service="bench", timeout_seconds=60)
    await bootstrap(settings)
    store = await open_store(settings)
    async with raw(url) as bytes_only:
        for part, rows in _parts(store, bytes_only, url, asked).items():
            if part in asked.only:
                say(await rows())
    await store.close()


def _parts(
    store: Store, bytes_only: Raw, url: str, asked: argparse.Namespace
) -> dict[str, Callable[[], Awaitable[list[Row]]]]:
    directory = Path(asked.directory)
    return {
        "append": lambda: appending.measure(store, bytes_only, asked.events, asked.rounds),
        "visible": lambda: queue_to_visible.measure(store, bytes_only, url, directory, asked.visible),
        "read": lambda: _read(store, bytes_only, asked),
        "rebuild": lambda: rebuilding.measure(store, url, asked.runs),
    }


async def _read(store: Store, bytes_only: Raw, asked: argparse.Namespace) -> list[Row]:
    if "append" not in asked.only:
        await rebuilding.fill(store, asked.events)
    return await reading.measure(store, bytes_only, asked.rounds)


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="rebuild 500,000 runs")
    parser.add_argument("--runs", type=int, default=50_000, help="of the rebuild")
    parser.add_argument("--events", type=int, default=20_000, help="appended each way")
    parser.add_argument("--visible", type=int, default=6_000, help="sent through the queue")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--line", help="of OpenSearch: 2.19 or 3.8")
    parser.add_argument("--heap", default="1g", help="of the node")
    parser.add_argument("--only", action="append", choices=PARTS, default=[])
    asked = parser.parse_args()
    asked.only = asked.only or list(PARTS)
    asked.runs = rebuilding.FULL_RUNS if asked.full else asked.runs
    return asked


def main() -> int:
    """Measure, print, write the results; 0 whatever the figures are."""
    asked = arguments()
    found: list[tuple[Row, float]] = []

    def say(rows: list[Row]) -> None:
        load = os.getloadavg()[0]
        found.extend((row, load) for row in rows)
        print(*rows, f"load average {load:.1f}", sep="\n", flush=True)

    with tempfile.TemporaryDirectory() as directory:
        asked.directory = directory
        with running(Path(directory), asked.line, asked.heap) as node:
            asyncio.run(measure(node.url, asked, say))
    if "peers" in asked.only:
        try:
            say(postgres.measure(asked.events))
        except postgres.Absent as absent:
            print(f"peers: not measured; {absent}")
    print("\n" + "\n".join([HEAD, *(str(row) for row, _ in found)]))
    if set(asked.only) == set(PARTS):
        _keep(asked, found)
    return 0


def _keep(asked: argparse.Namespace, found: list[tuple[Row, float]]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    record = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "line": asked.line or "newest that this Java runs",
        "runs": asked.runs,
        "rows": [{**asdict(row), "met": row.met, "load_average": load} for row, load in found],
    }
    (RESULTS / "store.json").write_text(
        json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    sys.exit(main())
