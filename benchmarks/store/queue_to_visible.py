"""Rows about the indexer: from the queue to documents that a search finds, beside the node's own rate.

The node's own rate is that of the same documents (another run's), made beforehand and sent in bulk requests.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from dwh_eventstore import MemoryBackend, Store, indices, memory_store
from dwh_eventstore.backend import Create, Write, Written
from dwh_local.testing import service_port
from faststream_sqs.testing.canned import CannedQueue, CannedSQS
from measured_events import ENVIRONMENT, Make, encoded, events, full, plain
from node import Raw, bodies, timed
from table import Row, percent

LOOK_SECONDS = 0.1
PACED_SHARE = 0.5
TAIL = 2000


class _Written(MemoryBackend):
    """Keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[Write] = []

    async def write(self, writes: Sequence[Write]) -> list[Written]:
        """See `Backend`."""
        self.writes += writes
        return await super().write(writes)


async def _documents(make: Make, job: str, first: int, count: int) -> list[Write]:
    """All documents that become of so many events of a job that has its indices."""
    backend = _Written()
    store = memory_store(ENVIRONMENT, backend=backend)
    await store.record(events(make, job, 0, 1))
    backend.writes.clear()
    for start in range(first, first + count, 100):
        await store.record(events(make, job, start, min(100, first + count - start)))
    return [write for write in backend.writes if isinstance(write, Create)]


@asynccontextmanager
async def _indexer(sqs: CannedSQS, queue: CannedQueue, url: str, log: Path) -> AsyncIterator[None]:
    """The service as a process of its own, at the queue and the node."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DWH_", "AWS_"))}
    variables = {
        **inherited,
        "AWS_ENDPOINT_URL": sqs.url,
        "AWS_ACCESS_KEY_ID": "canned",
        "AWS_SECRET_ACCESS_KEY": "canned",
        "AWS_REGION": "us-east-1",
        "DWH_ENVIRONMENT": ENVIRONMENT,
        "DWH_QUEUE_URL": queue.url,
        "DWH_OPENSEARCH_URL": url,
        "DWH_HTTP_PORT": str(service_port()),
        "DWH_LOG_LEVEL": "WARNING",
    }
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dwh_indexer", env=variables, stdout=sink, stderr=sink
        )
    ended = asyncio.ensure_future(process.wait())
    try:
        yield
        if ended.done():
            raise RuntimeError(f"the indexer ended: {_end_of(log)}")
    finally:
        if not ended.done():
            process.terminate()
        await ended


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-TAIL:]


async def measure(store: Store, raw: Raw, url: str, directory: Path, total: int) -> list[Row]:
    """With line items, then without."""
    rows: list[Row] = []
    for make, name, count in ((full, "full events", total // 2), (plain, "without line items", total)):
        own = await _own_rate(store, raw, make, f"measured_{make.__name__}", count)
        async with CannedSQS() as sqs:
            queue = sqs.queue(f"dwh-{ENVIRONMENT}-indexer")
            sqs.queue(f"dwh-{ENVIRONMENT}-indexer-dlq")
            log = directory / f"indexer-{make.__name__}.log"
            async with _indexer(sqs, queue, url, log):
                rate = await _burst(raw, queue, make, count)
                p99 = await _paced(raw, queue, make, count, rate * PACED_SHARE)
        share, least = (None, 1_500) if make is plain else (60, None)
        rows += [
            percent(
                f"append + read models, {name}", rate, own, share, "the node's own rate for these documents"
            ),
            Row(f"queue to visible, {name}", rate, "events/s", least),
            Row(f"visible p99, {name}, at half that rate", p99, "s", 3, at_most=True),
        ]
    return rows


async def _own_rate(store: Store, raw: Raw, make: Make, job: str, count: int) -> float:
    """Events per second whose documents the node takes; twice, the second counts."""
    await store.record(events(make, job, 0, 1))
    seconds = 0.0
    for turn in range(2):
        first = 10_000_000 * (turn + 1)
        written = await _documents(make, job, first, count)
        parts = [
            body
            for start in range(0, len(written), 100 * len(written) // count)
            for body in bodies(written[start : start + 100 * len(written) // count])
        ]
        seconds = await timed(parts, raw.bulk)
    return count / seconds


async def _burst(raw: Raw, queue: CannedQueue, make: Make, count: int) -> float:
    """Events per second, from the first receive until the last is visible; after a smaller burst."""
    job = f"measured_{make.__name__}"
    before = await _there(raw, job)
    rate = 0.0
    for first, size in ((0, max(count // 4, 500)), (1_000_000, count)):
        start = len(queue.received_at)
        queue.load([encoded(make(job, number)) for number in range(first + 1, first + size + 1)])
        await queue.wait_empty()
        before += size
        await _visible(raw, job, before)
        seconds = time.monotonic() - list(queue.received_at.values())[start]
        rate = size / seconds
    return rate


async def _there(raw: Raw, job: str) -> int:
    """Documents of the job, those included that no search finds yet."""
    await raw.ask("POST", f"/{indices.JOB_EVENTS}/_refresh")
    return await raw.count(indices.JOB_EVENTS, job)


async def _visible(raw: Raw, job: str, count: int) -> None:
    while await raw.count(indices.JOB_EVENTS, job) < count:  # noqa: ASYNC110 - the node tells nobody
        await asyncio.sleep(LOOK_SECONDS)


async def _paced(raw: Raw, queue: CannedQueue, make: Make, count: int, per_second: float) -> float:
    """Seconds from the queue to visible of all but one in a hundred, at this pace."""
    job = f"measured_{make.__name__}"
    before = await _there(raw, job)
    count = min(count, int(20 * per_second))
    messages = [encoded(make(job, 2_000_000 + number)) for number in range(count)]
    sent: list[float] = []
    visible: list[float] = []

    async def send() -> None:
        started = time.monotonic()
        for number, message in enumerate(messages):
            late = started + number / per_second - time.monotonic()
            if late > 0:
                await asyncio.sleep(late)
            sent.append(time.monotonic())
            queue.add(message)

    async def look() -> None:
        while len(visible) < count:
            seen = await raw.count(indices.JOB_EVENTS, job) - before
            visible.extend([time.monotonic()] * (seen - len(visible)))
            await asyncio.sleep(LOOK_SECONDS)

    async with asyncio.TaskGroup() as group:
        group.create_task(send())
        group.create_task(look())
    took = sorted(seen - came for came, seen in zip(sent, visible, strict=True))
    return took[int(len(took) * 0.99)]
