"""An upgrade to other folds, as whoever runs it sees it."""

import asyncio
import json
import os
import subprocess
import sys

import pytest
from dwh_contracts.clock import SystemClock
from dwh_eventstore import Documents, StoreSettings, bootstrap, indices, open_store
from dwh_eventstore.testing import RunFacts

pytestmark = pytest.mark.integration
MODEL = "job-events-outdated-job"


@pytest.fixture
async def dwh(opensearch_node):
    async def run(*arguments):
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "dwh_cli", *arguments],
            env=os.environ | {"DWH_ENVIRONMENT": "local", "DWH_OPENSEARCH_URL": opensearch_node.url},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


async def test_what_other_folds_wrote_is_named_and_made_anew_by_one_command(opensearch_node, dwh):
    settings = StoreSettings(url=opensearch_node.url, environment="local", service="test")
    await bootstrap(settings)
    store = await open_store(settings)
    await store.record([RunFacts("outdated_job", start=SystemClock().now()).completed("GREEN")])
    index = await store.backend.resolve(MODEL)
    await store.backend._ask("PUT", f"/{index}/_mapping", {"_meta": {"fold_version": 1}})

    code, out, error = await dwh("bootstrap", "--check")
    assert (code, f"`dwh store rebuild {MODEL}`" in out + error) == (1, True)
    code, out, _ = await dwh("store", "rebuild", "--outdated", "--dry-run", "--json")
    assert (code, [plan["name"] for plan in json.loads(out)["items"]]) == (0, [MODEL])
    code, out, _ = await dwh("store", "rebuild", "--outdated", "--json")
    [rebuilt] = json.loads(out)["items"]
    assert (code, rebuilt["name"], rebuilt["documents"], rebuilt["differences"]) == (0, MODEL, 1, [])
    code, out, _ = await dwh("store", "rebuild", "--outdated")
    assert (code, out) == (0, "every read model is written by the folds of this release\n")
    code, out, _ = await dwh("store", "rebuild", MODEL, "--drop-old", "--json")
    assert (code, json.loads(out)["items"]) == (0, [{"name": MODEL, "removed": [index]}])
    held = {"kind": "lease", "owner": "ann@host-7", "until": "2999-01-01T00:00:00.000000Z"}
    await Documents(store.backend, indices.REGISTRY).create("lease|rebuild|job-triggers", held)
    code, out, error = await dwh("store", "rebuild", MODEL, "job-triggers", "--json")
    await store.backend._ask("DELETE", f"/{indices.REGISTRY}/_doc/lease|rebuild|job-triggers")
    await store.close()
    assert (code, [each["name"] for each in json.loads(out)["items"]]) == (1, [MODEL])
    assert "is being rebuilt by ann@host-7" in error
    code, out, error = await dwh("store", "rebuild", MODEL, "no-such-model", "--json")
    assert (code, out) == (1, "")
    assert "there is no read model no-such-model" in error
