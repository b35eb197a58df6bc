"""Facts of the engine the design rests on, each by its own name: an upgrade that breaks one fails here.

Rows that need users and rights stand with the roles; what the port expresses is in `BackendSuite`.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from dwh_local.opensearch import Node

pytestmark = pytest.mark.integration
APPEND_ONLY = {"settings": {"index.append_only.enabled": True, "index.number_of_replicas": 0}}
PLAIN = {"settings": {"index.number_of_replicas": 0}}
NEVER_REFRESHED = {"settings": {"index.number_of_replicas": 0, "index.refresh_interval": "-1"}}


@pytest.fixture
async def engine(node_of_each_line: Node, environment: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=node_of_each_line.url, timeout=30) as client:
        yield client
        await client.delete(f"/{environment}*")


@pytest.fixture
async def log(engine: httpx.AsyncClient, environment: str) -> str:
    """An append-only index with one document, `a`."""
    name = f"{environment}-log"
    assert (await engine.put(f"/{name}", json=APPEND_ONLY)).status_code == 200
    first = await engine.put(f"/{name}/_create/a", params={"refresh": "true"}, json={"n": 1})
    assert first.status_code == 201
    return name


@pytest.fixture
async def plain(engine: httpx.AsyncClient, environment: str) -> str:
    """An index that is refreshed by nobody."""
    name = f"{environment}-plain"
    assert (await engine.put(f"/{name}", json=NEVER_REFRESHED)).status_code == 200
    return name


async def bulk(engine: httpx.AsyncClient, *lines: object, **params: str) -> httpx.Response:
    body = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    return await engine.post(
        "/_bulk", content=body, params=params, headers={"content-type": "application/x-ndjson"}
    )


def statuses(answer: httpx.Response) -> list[int]:
    return [result["status"] for item in answer.json()["items"] for result in item.values()]


async def count(engine: httpx.AsyncClient, index: str) -> int:
    await engine.post(f"/{index}/_refresh")
    return (await engine.get(f"/{index}/_count")).json()["count"]


async def test_create_answers_201_then_409_version_conflict(engine: httpx.AsyncClient, log: str) -> None:
    first = await engine.put(f"/{log}/_create/b", json={})
    second = await engine.put(f"/{log}/_create/b", json={})
    assert (first.status_code, second.status_code) == (201, 409)
    assert second.json()["error"]["type"] == "version_conflict_engine_exception"


async def test_of_40_concurrent_creates_one_answers_201_and_39_answer_409(
    engine: httpx.AsyncClient, log: str
) -> None:
    answers = await asyncio.gather(*(engine.put(f"/{log}/_create/c", json={"n": n}) for n in range(40)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 39


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "_doc/a"),
        ("PUT", "_doc/new?version=7&version_type=external"),
        ("PUT", "_doc/a?if_seq_no=0&if_primary_term=1"),
        ("POST", "_update/a"),
        ("DELETE", "_doc/a"),
        ("POST", "_update_by_query"),
        ("POST", "_delete_by_query"),
    ],
)
async def test_append_only_refuses_every_change_of_a_document(
    engine: httpx.AsyncClient, log: str, method: str, path: str
) -> None:
    bodies = {"_update/a": {"doc": {"n": 2}}, "_delete_by_query": {"query": {"match_all": {}}}}
    body = None if method == "DELETE" else bodies.get(path, {} if path.endswith("query") else {"n": 2})
    answer = await engine.request(method, f"/{log}/{path}", json=body)
    assert answer.status_code == 400, answer.text
    assert (await engine.get(f"/{log}/_source/a")).json() == {"n": 1}


async def test_append_only_refuses_item_by_item_and_create_with_id_works(
    engine: httpx.AsyncClient, log: str
) -> None:
    answer = await bulk(
        engine,
        *({"index": {"_index": log, "_id": "a"}}, {"n": 2}),
        {"delete": {"_index": log, "_id": "a"}},
        *({"update": {"_index": log, "_id": "a"}}, {"doc": {"n": 2}}),
        *({"create": {"_index": log, "_id": "d"}}, {"n": 3}),
    )
    assert statuses(answer) == [400, 400, 400, 201]


async def test_append_only_is_neither_unset_nor_set_later_not_even_while_closed(
    engine: httpx.AsyncClient, log: str, plain: str
) -> None:
    for close in (False, True):
        for index, value in ((log, False), (plain, True)):
            if close:
                await engine.post(f"/{index}/_close")
            answer = await engine.put(f"/{index}/_settings", json={"index.append_only.enabled": value})
            assert answer.status_code == 400, (index, answer.text)


async def test_append_only_does_not_stop_deleting_the_index(engine: httpx.AsyncClient, log: str) -> None:
    assert (await engine.delete(f"/{log}")).status_code == 200


async def test_append_only_does_not_stop_a_clone_with_the_setting_overridden(
    engine: httpx.AsyncClient, log: str
) -> None:
    await engine.put(f"/{log}/_block/write")
    target = f"{log}-clone"
    settings = {"settings": {"index.append_only.enabled": False, "index.blocks.write": None}}
    assert (await engine.put(f"/{log}/_clone/{target}", json=settings)).status_code == 200
    await engine.get(f"/_cluster/health/{target}", params={"wait_for_status": "yellow"})
    answer = await engine.put(f"/{target}/_doc/a", json={"n": 2})
    assert answer.status_code == 200, "the audit, not the engine, finds a copy that was changed"


async def test_append_only_does_not_stop_a_default_pipeline_that_could_rewrite_on_ingest(
    engine: httpx.AsyncClient, log: str
) -> None:
    """The node of the tests has no ingest role, so the pipeline is set here and never runs."""
    answer = await engine.put(f"/{log}/_settings", json={"index.default_pipeline": "rewrite"})
    assert answer.status_code == 200


async def test_append_only_takes_an_upsert_of_a_new_id_as_a_create(
    engine: httpx.AsyncClient, log: str
) -> None:
    upsert = {"doc": {"n": 5}, "doc_as_upsert": True}
    answers = [await engine.post(f"/{log}/_update/f", json=upsert | {"doc": {"n": n}}) for n in (5, 6)]
    assert [answer.status_code for answer in answers] == [201, 400]


async def test_mget_returns_versions_and_source_before_any_refresh(
    engine: httpx.AsyncClient, plain: str
) -> None:
    await engine.put(f"/{plain}/_create/a", json={"n": 1})
    [found] = (await engine.post(f"/{plain}/_mget", json={"ids": ["a"]})).json()["docs"]
    searched = (await engine.get(f"/{plain}/_count")).json()["count"]
    assert (found["_source"], found["_seq_no"], found["_primary_term"], searched) == ({"n": 1}, 0, 1, 0)


async def test_a_stale_compare_and_set_answers_409_and_writes_nothing(
    engine: httpx.AsyncClient, plain: str
) -> None:
    await engine.put(f"/{plain}/_create/a", json={"n": 1})
    version = {"if_seq_no": 0, "if_primary_term": 1}
    answers = [await engine.put(f"/{plain}/_doc/a", params=version, json={"n": n}) for n in (2, 3)]
    assert [answer.status_code for answer in answers] == [200, 409]
    assert (await engine.get(f"/{plain}/_source/a")).json() == {"n": 2}


@pytest.mark.parametrize(
    "version", [{"if_seq_no": "0", "if_primary_term": "1"}, {"version": "3", "version_type": "external"}]
)
async def test_create_with_a_version_is_refused(
    engine: httpx.AsyncClient, plain: str, version: dict[str, str]
) -> None:
    answer = await engine.put(f"/{plain}/_doc/a", params={"op_type": "create", **version}, json={})
    assert answer.status_code == 400


async def test_seq_no_sorts_and_ranges_and_an_index_without_mapping_fails_one_shard_of_a_200(
    engine: httpx.AsyncClient, plain: str
) -> None:
    bare = f"{plain}-bare"
    await engine.put(f"/{bare}", json=PLAIN)
    for n in range(5):
        await engine.put(f"/{plain}/_create/d{n}", json={"n": n})
    await engine.post(f"/{plain}/_refresh")
    query = {"query": {"range": {"_seq_no": {"gt": 1, "lte": 3}}}}
    careless = await engine.post(f"/{plain},{bare}/_search", json=query | {"sort": ["_seq_no"]})
    careful = await engine.post(
        f"/{plain},{bare}/_search", json=query | {"sort": [{"_seq_no": {"unmapped_type": "long"}}]}
    )
    assert (careless.status_code, careless.json()["_shards"]["failed"]) == (200, 1)
    assert (careful.status_code, careful.json()["_shards"]["failed"]) == (200, 0)
    assert [hit["sort"] for hit in careful.json()["hits"]["hits"]] == [[2], [3]]


async def test_ignore_above_drops_from_the_index_without_a_word(
    engine: httpx.AsyncClient, environment: str
) -> None:
    index = f"{environment}-short"
    await engine.put(
        f"/{index}", json={"mappings": {"properties": {"k": {"type": "keyword", "ignore_above": 5}}}}
    )
    answer = await engine.put(f"/{index}/_create/a", params={"refresh": "true"}, json={"k": "longer"})
    finds = [
        await engine.post(f"/{index}/_count", json={"query": query})
        for query in ({"term": {"k": "longer"}}, {"exists": {"field": "k"}})
    ]
    assert (answer.status_code, [found.json()["count"] for found in finds]) == (201, [0, 0])


async def test_waiting_for_a_copy_that_does_not_exist_answers_503_and_stores_nothing(
    engine: httpx.AsyncClient, environment: str
) -> None:
    index = f"{environment}-copies"
    await engine.put(
        f"/{index}",
        json={"settings": {"index.number_of_replicas": 1}},
        params={"wait_for_active_shards": "1"},
    )
    lines = ({"create": {"_index": index, "_id": "a"}}, {})
    answer = await bulk(engine, *lines, wait_for_active_shards="2", timeout="100ms")
    assert statuses(answer) == [503]
    assert await count(engine, index) == 0


async def test_a_sort_by_shard_doc_fails_on_2_x_and_is_not_used(engine: httpx.AsyncClient, log: str) -> None:
    version = (await engine.get("/")).json()["version"]["number"]
    if not version.startswith("2."):
        pytest.skip(f"{version} has it; the design does without")
    opened = await engine.post(f"/{log}/_search/point_in_time", params={"keep_alive": "1m"})
    pit = {"id": opened.json()["pit_id"]}
    answer = await engine.post("/_search", json={"pit": pit, "sort": ["_shard_doc"]})
    assert answer.status_code == 400


async def test_after_checkpoint_and_refresh_all_up_to_it_is_visible_and_nothing_appears_below_it(
    engine: httpx.AsyncClient, plain: str
) -> None:
    async def writer(number: int) -> None:
        for n in range(60):
            await engine.put(
                f"/{plain}/_create/w{number}-{n}", json={"t": "x" * (40_000 if n % 7 == 0 else 1)}
            )

    async def below(checkpoint: int) -> int:
        query = {"query": {"range": {"_seq_no": {"lte": checkpoint}}}}
        return (await engine.post(f"/{plain}/_count", json=query)).json()["count"]

    writers = [asyncio.create_task(writer(number)) for number in range(4)]
    await engine.put(f"/{plain}/_create/first", json={"t": ""})
    seen: list[tuple[int, int]] = []
    while not all(task.done() for task in writers):
        stats = (await engine.get(f"/{plain}/_stats", params={"level": "shards"})).json()
        [shard] = stats["indices"][plain]["shards"]["0"]
        checkpoint = shard["seq_no"]["global_checkpoint"]
        await engine.post(f"/{plain}/_refresh")
        seen.append((checkpoint, await below(checkpoint)))
    await asyncio.gather(*writers)
    await engine.post(f"/{plain}/_refresh")
    assert all(count == checkpoint + 1 for checkpoint, count in seen)
    assert all([await below(checkpoint) == count for checkpoint, count in seen])
    assert len(seen) >= 3


async def test_a_point_in_time_is_not_disturbed_by_later_writes_and_a_lost_one_answers_404(
    engine: httpx.AsyncClient, log: str
) -> None:
    await engine.post(f"/{log}/_refresh")
    opened = await engine.post(f"/{log}/_search/point_in_time", params={"keep_alive": "1m"})
    pit = opened.json()["pit_id"]
    await engine.put(f"/{log}/_create/later", params={"refresh": "true"}, json={})
    search = {"pit": {"id": pit}, "track_total_hits": True}
    during = await engine.post("/_search", json=search)
    await engine.request("DELETE", "/_search/point_in_time", json={"pit_id": [pit]})
    assert during.json()["hits"]["total"]["value"] == 1
    assert (await engine.post("/_search", json=search)).status_code == 404


async def test_readers_of_an_alias_that_moves_see_old_or_new_and_never_neither(
    engine: httpx.AsyncClient, environment: str
) -> None:
    alias, names = f"{environment}-alias", [f"{environment}-v{n}" for n in (1, 2)]
    for name in names:
        await engine.put(f"/{name}", json=PLAIN)
        await engine.put(f"/{name}/_create/a", params={"refresh": "true"}, json={})
    await engine.put(f"/{names[0]}/_alias/{alias}")
    moving = True

    async def read() -> list[tuple[int, int]]:
        seen = []
        while moving:
            answer = await engine.get(f"/{alias}/_count")
            seen.append((answer.status_code, answer.json().get("count", -1)))
        return seen

    readers = [asyncio.create_task(read()) for _ in range(3)]
    for n in range(20):
        old, new = names[n % 2], names[(n + 1) % 2]
        actions = [{"remove": {"index": old, "alias": alias}}, {"add": {"index": new, "alias": alias}}]
        assert (await engine.post("/_aliases", json={"actions": actions})).status_code == 200
    moving = False
    assert {answer for seen in await asyncio.gather(*readers) for answer in seen} == {(200, 1)}


async def test_a_template_makes_an_index_on_first_write_unless_auto_create_excludes_it(
    engine: httpx.AsyncClient, environment: str
) -> None:
    template = {"index_patterns": [f"{environment}-m-*"], "priority": 500, "template": APPEND_ONLY}
    await engine.put(f"/_index_template/{environment}", json=template)
    allowed = await engine.put(f"/{environment}-m-01/_create/a", json={})
    rule = {"persistent": {"action.auto_create_index": f"-{environment}-m-*,+*"}}
    before = (await engine.get("/_cluster/settings", params={"flat_settings": "true"})).json()["persistent"]
    await engine.put("/_cluster/settings", json=rule)
    refused = await engine.put(f"/{environment}-m-02/_create/a", json={})
    restored = {"persistent": {"action.auto_create_index": before.get("action.auto_create_index")}}
    await engine.put("/_cluster/settings", json=restored)
    await engine.delete(f"/_index_template/{environment}")
    assert (allowed.status_code, refused.status_code) == (201, 404)
    assert (await engine.delete(f"/{environment}-m-01/_doc/a")).status_code == 400


async def test_field_limit_type_clash_broken_json_and_bad_names_fail_their_item_only(
    engine: httpx.AsyncClient, environment: str
) -> None:
    index = f"{environment}-fields"
    settings = {"index.mapping.total_fields.limit": 5}
    mappings = {"properties": {"n": {"type": "long"}}}
    await engine.put(f"/{index}", json={"settings": settings, "mappings": mappings})
    many = {f"f{n}": n for n in range(20)}
    documents: list[object] = [many, {"n": "text"}, '{"n": ', {"n": 1}]
    lines = [
        line
        for n, document in enumerate(documents)
        for line in ({"create": {"_index": index, "_id": f"d{n}"}}, document)
    ]
    answer = await bulk(engine, *lines, {"create": {"_index": "Bad Name", "_id": "x"}}, {})
    assert statuses(answer) == [400, 400, 400, 201, 400]


async def test_an_id_has_512_bytes_at_most(engine: httpx.AsyncClient, plain: str) -> None:
    answer = await bulk(
        engine,
        *({"create": {"_index": plain, "_id": "é" * 256}}, {}),
        *({"create": {"_index": plain, "_id": "é" * 256 + "x"}}, {}),
    )
    fits = statuses(answer) if answer.status_code == 200 else answer.text
    assert answer.status_code == 400 or fits == [201, 400], fits
