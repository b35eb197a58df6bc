"""Facts that need a node of other settings: a queue of one write, little memory for writes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx
import pytest
from dwh_eventstore import StoreSettings, StoreUnavailable
from dwh_eventstore.backend import Create, Query
from dwh_eventstore.opensearch import OpenSearchBackend
from dwh_local import opensearch
from dwh_local.testing import free_port

pytestmark = pytest.mark.integration
SETTINGS = {
    "node.processors": "1",
    "thread_pool.write.queue_size": "1",
    "indexing_pressure.memory.limit": "1mb",
}
INDEX = "small"
SHARDS = {"settings": {"index.number_of_shards": 12, "index.number_of_replicas": 0}}
KILOBYTE = "x" * 1024


@pytest.fixture(scope="module")
def small_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[opensearch.Node]:
    port = free_port(opensearch.LOWEST_PORT, opensearch.HIGHEST_PORT - 1, skip=1)
    directory = tmp_path_factory.mktemp("small")
    node = opensearch.start_installed(opensearch.install(), directory, port, settings=SETTINGS)
    yield node
    node.stop()


@pytest.fixture
async def engine(small_node: opensearch.Node) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=small_node.url, timeout=30) as client:
        await client.delete(f"/{INDEX}", params={"ignore_unavailable": "true"})
        await client.put(f"/{INDEX}", json=SHARDS)
        yield client


def a_body(name: str, count: int) -> str:
    return "".join(
        json.dumps({"create": {"_index": INDEX, "_id": f"{name}-{n}"}}) + "\n" + json.dumps({"n": n}) + "\n"
        for n in range(count)
    )


async def bulk(engine: httpx.AsyncClient, body: str) -> httpx.Response:
    return await engine.post("/_bulk", content=body, headers={"content-type": "application/x-ndjson"})


async def test_a_full_write_queue_answers_429_per_item_inside_a_200(engine: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(bulk(engine, a_body(f"w{n}", 60)) for n in range(8)))
    mixed = [
        {item["create"]["status"] for item in answer.json()["items"]}
        for answer in answers
        if answer.status_code == 200
    ]
    assert {201, 429} in mixed


async def test_indexing_pressure_answers_429_for_the_whole_request(engine: httpx.AsyncClient) -> None:
    big = json.dumps({"create": {"_index": INDEX, "_id": "big"}}) + "\n" + json.dumps({"n": KILOBYTE * 2000})
    answer = await bulk(engine, big + "\n")
    assert (answer.status_code, answer.json()["error"]["type"]) == (429, "rejected_execution_exception")


class Breaker:
    """The engine's own guard of its heap, set so low that it turns every request away."""

    def __init__(self, engine: httpx.AsyncClient) -> None:
        self._engine = engine
        self.slept: list[float] = []
        self.lifted_after = 3

    async def trip(self) -> None:
        await self._limit("1%")

    async def lift(self) -> None:
        await self._limit(None)

    async def sleep(self, seconds: float) -> None:
        """In the place of waiting: the engine has recovered when it was asked often enough."""
        self.slept.append(seconds)
        if len(self.slept) == self.lifted_after:
            await self.lift()

    async def _limit(self, value: str | None) -> None:
        body = {"transient": {"indices.breaker.total.limit": value}}
        (await self._engine.put("/_cluster/settings", json=body)).raise_for_status()


@pytest.fixture
async def breaker(engine: httpx.AsyncClient) -> AsyncIterator[Breaker]:
    breaker = Breaker(engine)
    yield breaker
    await breaker.lift()


@pytest.fixture
async def backend(small_node: opensearch.Node, breaker: Breaker) -> AsyncIterator[OpenSearchBackend]:
    settings = StoreSettings(url=small_node.url, environment="local", service="test", busy_patience_seconds=3)
    backend = OpenSearchBackend(settings, breaker.sleep)
    yield backend
    await backend.close()


CALLS: dict[str, Callable[[OpenSearchBackend], Awaitable[object]]] = {
    "write": lambda backend: backend.write([Create(INDEX, "one", {"n": 1})]),
    "read": lambda backend: backend.read([(INDEX, "none")]),
    "search": lambda backend: backend.search(Query(indices=[INDEX], where={})),
    "refresh": lambda backend: backend.refresh([INDEX]),
    "shards": lambda backend: backend.shards([INDEX]),
    "resolve": lambda backend: backend.resolve("no-such-alias"),
    "create_index": lambda backend: backend.create_index(INDEX, {}),
    "change_settings": lambda backend: backend.change_settings(INDEX, {"index.refresh_interval": "10s"}),
}


@pytest.mark.parametrize("call", CALLS)
async def test_a_call_that_the_full_heap_turns_away_is_made_again_until_it_is_taken(
    backend: OpenSearchBackend, breaker: Breaker, call: str
) -> None:
    await breaker.trip()
    await CALLS[call](backend)
    assert len(breaker.slept) == breaker.lifted_after
    assert backend.pressed


async def test_an_engine_whose_heap_stays_full_is_told_of_after_the_patience_of_3_seconds(
    backend: OpenSearchBackend, breaker: Breaker
) -> None:
    breaker.lifted_after = 1000
    await breaker.trip()
    with pytest.raises(StoreUnavailable, match="429: circuit_breaking_exception"):
        await backend.search(Query(indices=[INDEX], where={}))
    assert 1.5 < sum(breaker.slept) < 9
    await breaker.lift()
    for _ in range(20):
        assert backend.pressed
        await backend.read([(INDEX, "none")])
    assert not backend.pressed
