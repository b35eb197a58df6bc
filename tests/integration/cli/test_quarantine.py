"""`dwh quarantine` over a real node."""

import json
import os
import subprocess
import sys

import pytest
from dwh_contracts.clock import SystemClock
from dwh_contracts.quarantine import QuarantineReason, Refused, quarantine_record
from dwh_eventstore import StoreSettings, bootstrap, open_store

pytestmark = pytest.mark.integration


@pytest.fixture
async def store(opensearch_node, environment):
    settings = StoreSettings(opensearch_node.url, environment=environment, service="test")
    await bootstrap(settings)
    opened = await open_store(settings)
    yield opened
    await opened.close()


@pytest.fixture
def dwh(opensearch_node, environment):
    def run(*arguments):
        variables = {"DWH_ENVIRONMENT": environment, "DWH_OPENSEARCH_URL": opensearch_node.url}
        return subprocess.run(
            [sys.executable, "-m", "dwh_cli", "quarantine", *arguments],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


async def test_a_refused_message_is_listed_shown_and_discarded_once(store, dwh, environment):
    raw = f"\x1b[31mnot json of {environment}".encode()
    refused = Refused(QuarantineReason.NOT_JSON, None, "no value at the start")
    record = quarantine_record("indexer", None, raw, {}, refused, SystemClock().now())
    await store.quarantine.put(record)
    shown = dwh("show", record.quarantine_id)
    assert "\x1b" not in shown.stdout
    assert json.loads(dwh("show", record.quarantine_id, "--json").stdout)["raw"] == raw.decode()
    assert record.quarantine_id in {
        item["quarantine_id"] for item in json.loads(dwh("list", "--json").stdout)["items"]
    }
    ends = [dwh("discard", record.quarantine_id, "--reason", "a test").returncode for _ in range(2)]
    await store.refresh()
    facts = await store.events.find(
        "effect", {"event_type": "quarantine_discarded", "environment": environment}
    )
    assert ends == [0, 1]
    assert [fact.body["reason"] for fact in facts] == ["a test"]
    assert dwh("show", "0" * 32).returncode == 1
    assert dwh("list", "--state", "lost").returncode == 2
