"""Answers of 200 in which the engine says of a part that it is too busy, or has no shard for it yet."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from dwh_eventstore import StoreSettings, StoreUnavailable
from dwh_eventstore.backend import Query
from dwh_eventstore.opensearch import OpenSearchBackend

FOUND = {"_index": "i", "_id": "a", "found": True, "_source": {}, "_seq_no": 0, "_primary_term": 1}
BUSY = {"_index": "i", "_id": "a", "error": {"type": "circuit_breaking_exception", "reason": "heap"}}
NO_SHARD = {"_index": "i", "_id": "a", "error": {"type": "no_shard_available_action_exception"}}
NO_HITS = {"timed_out": False, "_shards": {"failed": 0, "total": 3}, "hits": {"hits": []}}
ONE_BUSY = {
    **NO_HITS,
    "_shards": {"failed": 1, "total": 3, "failures": [{"reason": {"type": "rejected_execution_exception"}}]},
}
ONE_LOST = {
    **NO_HITS,
    "_shards": {"failed": 1, "total": 3, "failures": [{"reason": {"type": "node_disconnected_exception"}}]},
}


class Engine(ThreadingHTTPServer):
    """Gives the answers it was told, the last one again and again."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = [], 0
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        place = min(self.server.asked, len(self.server.answers) - 1)
        self.server.asked += 1
        body = json.dumps(self.server.answers[place]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nobody reads it."""


@pytest.fixture
def engine():
    engine = Engine()
    yield engine
    engine.shutdown()
    engine.server_close()


@pytest.fixture
async def backend(engine):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    url = f"http://127.0.0.1:{engine.server_port}"
    settings = StoreSettings(url=url, environment="local", service="test", busy_patience_seconds=100)
    backend = OpenSearchBackend(settings, sleep)
    backend.slept = slept
    yield backend
    await backend.close()


@pytest.mark.parametrize("first", [BUSY, NO_SHARD])
async def test_a_document_that_cannot_be_read_just_now_is_asked_for_again(engine, backend, first):
    engine.answers = [{"docs": [first]}, {"docs": [FOUND]}]
    [found] = await backend.read([("i", "a")])
    assert (found.id, engine.asked) == ("a", 2)
    assert backend.pressed is (first is BUSY)


async def test_a_lost_shard_is_waited_for_some_seconds_and_a_busy_engine_to_the_end_of_patience(
    engine, backend
):
    engine.answers = [{"docs": [NO_SHARD]}]
    with pytest.raises(StoreUnavailable, match="i/a is not readable"):
        await backend.read([("i", "a")])
    assert 1.5 < sum(backend.slept) < 9
    backend.slept.clear()
    engine.answers = [{"docs": [BUSY]}]
    with pytest.raises(StoreUnavailable, match="i/a is not readable: heap"):
        await backend.read([("i", "a")])
    assert 50 < sum(backend.slept) < 160


async def test_a_search_of_which_a_shard_is_too_busy_is_made_again_and_one_that_lost_a_shard_is_not(
    engine, backend
):
    query = Query(indices=["i"], where={})
    engine.answers = [ONE_BUSY, ONE_BUSY, NO_HITS]
    assert await backend.search(query) == []
    assert engine.asked == 3
    assert backend.pressed
    engine.answers = [ONE_LOST]
    with pytest.raises(StoreUnavailable, match="1 of 3 shards did not answer"):
        await backend.search(query)
    assert engine.asked == 4
