"""`dwh quarantine` over a real node."""

import json
from functools import partial

import pytest
from dwh_contracts.clock import SystemClock
from dwh_contracts.quarantine import QuarantineReason, Refused, quarantine_record

pytestmark = pytest.mark.integration


@pytest.fixture
def dwh(dwh_at_node):
    return partial(dwh_at_node, "quarantine")


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
