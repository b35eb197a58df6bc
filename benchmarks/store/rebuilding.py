"""Rows about a rebuild of `job-events` while others store events and read."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from dwh_eventstore import Store
from measured_events import events, plain
from node import timed
from table import Row

HERE = Path(__file__).parent
PER_SECOND = 200
FULL_RUNS = 500_000
FULL_SECONDS = 300
JOB = "measured_rebuild"
BATCH = 500
AT_A_TIME = 20_000


async def fill(store: Store, total: int) -> None:
    """Store so many runs, unfolded."""
    for first in range(0, total, AT_A_TIME):
        count = min(AT_A_TIME, total - first)
        made = events(plain, JOB, first, count)
        await timed((made[start : start + BATCH] for start in range(0, count, BATCH)), store.events.append)


async def measure(store: Store, url: str, total: int) -> list[Row]:
    """Fill the log up to so many runs, then rebuild beside the traffic."""
    await fill(store, total)
    traffic = await _start("traffic.py", url, "--per-second", str(PER_SECOND))
    assert traffic.stdout is not None
    await traffic.stdout.readline()
    rebuild = await _start("rebuild_once.py", url)
    told = await _answer(rebuild)
    traffic.terminate()
    seen = await _answer(traffic)
    if seen["failed"]:
        raise RuntimeError(f"the traffic failed: {seen['failed']}")
    share = told["documents"] / FULL_RUNS
    beside = f"{told['documents']:,} runs, {seen['recorded']:,} events stored meanwhile"
    return [
        Row("rebuild of job-events, until the alias is closed", told["filled_seconds"], "s", beside=beside),
        Row(
            "rebuild with verification, for 500,000 runs",
            told["seconds"] / share,
            "s",
            FULL_SECONDS,
            at_most=True,
            beside="measured" if total >= FULL_RUNS else f"{told['seconds']:.0f} s, in proportion",
        ),
        Row("rebuild, processor time", told["cpu_seconds"] / told["documents"] * 1e6, "µs/run"),
        Row("rebuild, most memory", told["most_memory_mib"], "MiB", 1024, at_most=True),
        Row("rebuild, looks that missed", seen["missing"], "looks", 0, True, f"of {seen['looks']:,}"),
        Row("rebuild, differences", told["differences"], "documents", 0, at_most=True),
    ]


async def _start(script: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / script), *arguments, stdout=asyncio.subprocess.PIPE
    )


async def _answer(process: asyncio.subprocess.Process) -> Any:
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"a part of the measurement ended with {process.returncode}")
    return json.loads(out)
