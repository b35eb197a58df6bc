from collections.abc import AsyncIterator

import pytest
from dwh_contracts.clock import ManualClock
from dwh_eventstore import Store, StoreSettings, bootstrap, open_store
from dwh_eventstore.opensearch import OpenSearchBackend
from dwh_eventstore.testing.audit_suite import AuditSuite
from dwh_eventstore.testing.events import START
from dwh_local.opensearch import Node

pytestmark = pytest.mark.integration
EVERYTHING = "events-*,rm-*,effects-v1,decisions-v1,event-digests-v1"


class TestAuditOverOpenSearch(AuditSuite):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock(START)

    @pytest.fixture
    async def store(self, node_of_each_line_at_length: Node, clock: ManualClock) -> AsyncIterator[Store]:
        settings = StoreSettings(url=node_of_each_line_at_length.url, environment="local", service="test")
        backend = OpenSearchBackend(settings)
        await backend._ask("DELETE", f"/{EVERYTHING}", params={"ignore_unavailable": "true"}, missing={})
        await backend.close()
        await bootstrap(settings, clock=clock)
        opened = await open_store(settings, clock)
        yield opened
        await opened.close()
