"""`dwh store` as a process that is killed, against a real node."""

import asyncio
import json
import os
import subprocess
import sys

import pytest
from dwh_contracts.clock import SystemClock
from dwh_eventstore import StoreSettings, bootstrap, open_store
from dwh_eventstore.replay import Checkpoints
from dwh_eventstore.replay.rebuild import CHUNK_EVENTS
from dwh_eventstore.testing import RunFacts

pytestmark = pytest.mark.integration
RUNS = 3 * CHUNK_EVENTS


def dwh(url, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "dwh_cli", "store", *arguments],
        env=os.environ | {"DWH_ENVIRONMENT": "local", "DWH_OPENSEARCH_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    out, error = process.communicate(timeout=120)
    return process.returncode, out, error


async def append_runs(store, first, count):
    start = SystemClock().now()
    runs = [RunFacts("killed", f"run-{first + n}", start=start) for n in range(count)]
    await store.events.append([run.completed("GREEN") for run in runs])


async def replaying(store):
    """Whether a rebuild has folded a part of the log."""
    state = await Checkpoints(store.backend).load("rebuild|job-events")
    return not state.get("done", True) and bool(state["positions"])


@pytest.mark.timeout(240)
async def test_a_rebuild_killed_halfway_under_traffic_is_taken_up_and_ends_without_a_difference(
    opensearch_node,
):
    settings = StoreSettings(url=opensearch_node.url, environment="local", service="test")
    await bootstrap(settings)
    store = await open_store(settings)
    for first in range(0, RUNS, 1000):
        await append_runs(store, first, 1000)
    before = await store.backend.resolve("job-events")
    working = True

    async def traffic():
        number = RUNS
        while working:
            start = SystemClock().now()
            run = RunFacts("killed", f"run-{number}", start=start)
            await store.record([run.started(), run.completed("GREEN")])
            assert await store.backend.resolve("job-events") is not None
            number += 1
            await asyncio.sleep(0)
        return number

    writing = asyncio.create_task(traffic())
    first = dwh(store_url(store), "rebuild", "job-events")
    while not await replaying(store):
        assert first.poll() is None, ended(first)
        await asyncio.sleep(0)
    first.kill()
    ended(first)
    assert await store.backend.resolve("job-events") == before

    refused = await asyncio.to_thread(ended, dwh(store_url(store), "rebuild", "job-events"))
    assert refused[0] == 1
    assert "is being rebuilt by" in refused[2]
    [planned] = json.loads(
        (
            await asyncio.to_thread(
                ended, dwh(store_url(store), "rebuild", "job-events", "--dry-run", "--json")
            )
        )[1]
    )["items"]
    assert planned["resumed"] is True
    error = "is being rebuilt by"
    while "is being rebuilt by" in error:
        again = dwh(store_url(store), "rebuild", "job-events", "--json")
        code, out, error = await asyncio.to_thread(ended, again)
    working = False
    total = await writing
    assert (code, error) == (0, ""), out
    [told] = json.loads(out)["items"]
    assert told["differences"] == []
    assert told["documents"] >= RUNS
    assert await store.backend.resolve("job-events") == planned["target"]
    code, out, _ = await asyncio.to_thread(ended, dwh(store_url(store), "verify", "job-events", "--json"))
    assert code == 0, out
    assert json.loads(out)["items"][0]["documents"] >= total
    await store.close()


def store_url(store):
    return store.backend._url
