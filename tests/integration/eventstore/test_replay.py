from collections.abc import AsyncIterator

import pytest
from dwh_eventstore import Store, StoreSettings, bootstrap, open_store
from dwh_eventstore.opensearch import OpenSearchBackend
from dwh_eventstore.testing import (
    ArchiveSuite,
    HastyClock,
    LockSuite,
    ReadingSuite,
    ReplaySuite,
    SharedJobsSuite,
    TimeSuite,
)
from dwh_eventstore.testing.events import START
from dwh_local.opensearch import Node

pytestmark = pytest.mark.integration
OURS = "events-*,rm-*,projection-*,effects-v1,decisions-v1"


@pytest.fixture
async def store(node_of_each_line_at_length: Node) -> AsyncIterator[Store]:
    """A store of this test alone: its read models are compared with the whole log."""
    settings = StoreSettings(url=node_of_each_line_at_length.url, environment="local", service="test")
    backend = OpenSearchBackend(settings)
    await _empty(backend)
    await backend.close()
    clock = HastyClock(START)
    await bootstrap(settings, clock=clock)
    opened = await open_store(settings, clock)
    yield opened
    await opened.close()


async def _empty(backend: OpenSearchBackend) -> None:
    """Remove what holds something; making all indices anew takes seconds."""
    unless_missing = {"ignore_unavailable": "true"}
    await backend._ask("POST", f"/{OURS}/_refresh", params=unless_missing, missing={})
    stats = await backend._ask("GET", f"/{OURS}/_stats/docs", params=unless_missing, missing={"indices": {}})
    used = [
        index
        for index, told in stats["indices"].items()
        if index.startswith("rm-") or told["primaries"]["docs"]["count"]
    ]
    if used:
        await backend._ask("DELETE", f"/{','.join(used)}")


class TestReadingOpenSearch(ReadingSuite):
    pass


class TestReplayOverOpenSearch(ReplaySuite):
    pass


class TestArchiveOverOpenSearch(ArchiveSuite):
    pass


class TestTimeOverOpenSearch(TimeSuite):
    pass


class TestSharedJobsOverOpenSearch(SharedJobsSuite):
    pass


class TestLockOverOpenSearch(LockSuite):
    pass
