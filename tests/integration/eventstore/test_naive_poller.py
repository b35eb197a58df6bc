"""The control of the watermark: under a load where a poller by number loses events, catching up loses none.

On a small node at rest the poller loses nothing, so that the watermark would prove nothing there. Here many
writers at a time get a number each while the index is refreshed without a pause, and whoever comes to write
while a flush of 600 kB documents is due helps with it, after he has got his number. How many events the
poller loses depends on the machine: rounds follow one another until it has lost some.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import orjson
import pytest
from dwh_contracts.canonical import JsonObject
from dwh_eventstore import Store, StoreSettings, open_store
from dwh_eventstore.replay.watermark import CatchUp, Key, Position
from dwh_local import opensearch
from dwh_local.testing import free_port

pytestmark = [pytest.mark.integration, pytest.mark.prove]
NODE = {"node.processors": "16"}
EVENTS = 60_000
ROUNDS = 10
WRITERS = 24
BATCH = 20
LARGE = "x" * 600_000
DEFINITION: JsonObject = {
    "settings": {"index.append_only.enabled": True, "index.number_of_replicas": 0},
    "mappings": {"dynamic": False, "properties": {"body": {"type": "object", "enabled": False}}},
}
"""As the log is."""


@pytest.fixture
def busy_node(tmp_path) -> Iterator[opensearch.Node]:
    port = free_port(opensearch.LOWEST_PORT, opensearch.HIGHEST_PORT - 1, skip=2)
    node = opensearch.start_installed(opensearch.install(), tmp_path, port, settings=NODE)
    yield node
    node.stop()


@pytest.fixture
async def store(busy_node: opensearch.Node) -> AsyncIterator[Store]:
    opened = await open_store(
        StoreSettings(busy_node.url, environment="local", service="test", timeout_seconds=60)
    )
    yield opened
    await opened.close()


class Load:
    """Writers of one index, and its refreshing while they write."""

    def __init__(self, client: httpx.AsyncClient, index: str) -> None:
        self._client = client
        self.index = index
        self._left = EVENTS
        self._writing = WRITERS

    @property
    def over(self) -> bool:
        return self._writing == 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._refresh())
            for number in range(WRITERS):
                group.create_task(self._write(number))

    async def _write(self, number: int) -> None:
        batch = 0
        while self._left > 0:
            self._left -= BATCH
            answer = await self._client.post(
                f"/{self.index}/_bulk",
                params={"filter_path": "errors"},
                content=_body(f"{number}-{batch}", large=number % 4 == batch % 4 == 0),
                headers={"content-type": "application/x-ndjson"},
            )
            assert answer.json() == {"errors": False}
            batch += 1
        self._writing -= 1

    async def _refresh(self) -> None:
        while not self.over:
            await self._client.post(f"/{self.index}/_refresh")


def _body(name: str, *, large: bool) -> bytes:
    lines = []
    for n in range(BATCH):
        lines.append(orjson.dumps({"create": {"_id": f"{name}-{n}"}}))
        lines.append(orjson.dumps({"body": {"text": LARGE if large and n == 0 else "x"}}))
    return b"\n".join(lines) + b"\n"


async def naively_polled(client: httpx.AsyncClient, load: Load) -> set[str]:
    """What a reader sees that asks for what is newer than the last event it saw."""
    seen: set[str] = set()
    last = -1
    while True:
        over = load.over
        if over:
            await client.post(f"/{load.index}/_refresh")
        query = {
            "size": 2000,
            "query": {"range": {"_seq_no": {"gt": last}}},
            "sort": ["_seq_no"],
            "_source": False,
            "track_total_hits": False,
        }
        params = {"filter_path": "hits.hits._id,hits.hits.sort"}
        answer = await client.post(f"/{load.index}/_search", params=params, json=query)
        hits = answer.json().get("hits", {}).get("hits", [])
        if hits:
            seen |= {hit["_id"] for hit in hits}
            last = hits[-1]["sort"][0]
        elif over:
            return seen


async def caught_up(store: Store, load: Load) -> list[str]:
    """What our reader sees, in its order."""
    reader = CatchUp(store.backend, (load.index,), ("none",))
    positions: dict[Key, Position] = {}
    seen: list[str] = []
    while True:
        over = load.over
        async for batch in reader.read(positions, await reader.watermark()):
            seen += [found.id for found in batch.found]
            positions[batch.key] = batch.position
        if over:
            return seen


async def a_round(store: Store, client: httpx.AsyncClient, number: int) -> int:
    """How many events the poller missed, when our reader has missed none."""
    load = Load(client, f"polled-log-{number}")
    await store.backend.create_index(load.index, DEFINITION)
    _, polled, read = await asyncio.gather(load.run(), naively_polled(client, load), caught_up(store, load))
    await store.backend.drop_index(load.index)
    assert len(read) == len(set(read)) == EVENTS
    return EVENTS - len(polled)


@pytest.mark.timeout(3600)
async def test_where_polling_by_number_misses_events_catching_up_misses_none(
    store: Store, busy_node: opensearch.Node, record_testsuite_property
) -> None:
    missed: list[int] = []
    limits = httpx.Limits(max_connections=WRITERS + 4)
    async with httpx.AsyncClient(base_url=busy_node.url, timeout=60, limits=limits) as client:
        while not any(missed) and len(missed) < ROUNDS:
            missed.append(await a_round(store, client, len(missed)))
    record_testsuite_property(f"missed_by_the_poller_of_{EVENTS}_in_each_round", missed)
    assert any(missed)
