"""Facts that need a node of other settings: a queue of one write, little memory for writes."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
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
