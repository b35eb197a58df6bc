"""The node that is measured, and what it does when nothing but bytes is asked of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import orjson
from dwh_eventstore.backend import Write
from dwh_eventstore.bulk import lines
from dwh_local import opensearch
from dwh_local.jars import line_for
from dwh_local.java import find_java
from dwh_local.opensearch import Installation, Node
from dwh_local.testing import free_port

T = TypeVar("T")

AT_ONCE = 4
"""Requests under way, ours and raw ones."""
MOST_IN_A_REQUEST = 500
PAGE = 2000
READY_SECONDS = 600
"""On a machine that does much else."""


@dataclass(frozen=True, slots=True)
class _Measured(Installation):
    """A node as one would run it: all compilers, and memory that is its own."""

    heap: str = "1g"

    def command(self, directory: Path, port: int, *, archiving: bool = False) -> list[str]:
        """Without what makes a node of the tests start fast."""
        usual = Installation.command(self, directory, port, archiving=archiving)
        short_lived = ("-XX:TieredStopAtLevel", "-XX:SharedArchiveFile", "-Xms", "-Xmx")
        kept = [part for part in usual if not part.startswith(short_lived)]
        return [kept[0], f"-Xms{self.heap}", f"-Xmx{self.heap}", *kept[1:]]


@contextmanager
def running(directory: Path, line: str | None, heap: str) -> Iterator[Node]:
    """A node of its own; its data are below `directory`."""
    found = opensearch.install(line=line or line_for(find_java()), say=print)
    port = free_port(opensearch.LOWEST_PORT, opensearch.HIGHEST_PORT - 1)
    installation = _Measured(found.java, found.jars, heap=heap)
    node = opensearch.start_installed(installation, directory, port, ready_seconds=READY_SECONDS)
    try:
        yield node
    finally:
        node.stop()


class Raw:
    """The node without the store: bodies that were made before, answers that are only checked."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        """An answer that is not an error."""
        headers = {"content-type": "application/x-ndjson" if path.endswith("_bulk") else "application/json"}
        async with self._session.request(method, self._url + path, data=body, headers=headers) as answer:
            told = orjson.loads(await answer.read())
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {told}")
            return told

    async def bulk(self, body: bytes) -> None:
        """Every write of it, all of them done."""
        answer = await self.ask("POST", "/_bulk", body)
        if answer["errors"]:
            refused = next(item for item in answer["items"] if "error" in next(iter(item.values())))
            raise RuntimeError(f"the node refused a write: {refused}")

    async def count(self, index: str, job: str) -> int:
        """Visible documents of a job."""
        query = orjson.dumps({"query": {"term": {"job_name": job}}})
        answer: int = (await self.ask("POST", f"/{index}/_count", query))["count"]
        return answer

    async def pages(self, index: str, numbers: range) -> int:
        """Documents by sequence number, a page after another; how many came."""
        pit = (await self.ask("POST", f"/{index}/_search/point_in_time?keep_alive=2m"))["pit_id"]
        count = 0
        for first in range(numbers.start, numbers.stop, PAGE):
            last = min(first + PAGE, numbers.stop) - 1
            query = {
                "size": PAGE,
                "query": {"range": {"_seq_no": {"gte": first, "lte": last}}},
                "sort": [{"_seq_no": "asc"}],
                "track_total_hits": False,
                "pit": {"id": pit, "keep_alive": "2m"},
            }
            count += len((await self.ask("POST", "/_search", orjson.dumps(query)))["hits"]["hits"])
        return count


@asynccontextmanager
async def raw(url: str) -> AsyncIterator[Raw]:
    """The node without the store."""
    async with aiohttp.ClientSession(skip_auto_headers=("accept-encoding",)) as session:
        yield Raw(url, session)


def bodies(writes: Sequence[Write], index: str | None = None) -> list[bytes]:
    """Bulk requests of these writes, into another index if one is named."""
    parts = range(0, len(writes), MOST_IN_A_REQUEST)
    return [
        b"".join(
            lines(replace(write, index=index or write.index))
            for write in writes[first : first + MOST_IN_A_REQUEST]
        )
        for first in parts
    ]


async def timed(
    work: Iterable[T], perform: Callable[[T], Awaitable[object]], at_once: int = AT_ONCE
) -> float:
    """Seconds for all of it, so many at once."""
    waiting = iter(work)

    async def worker() -> None:
        for each in waiting:
            await perform(each)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())
    return time.perf_counter() - started
