import pytest
from dwh_contracts.clock import ManualClock
from dwh_eventstore import Store, memory_store
from dwh_eventstore.testing.audit_suite import AuditSuite
from dwh_eventstore.testing.events import START


class TestAuditOverMemory(AuditSuite):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock(START)

    @pytest.fixture
    def store(self, clock: ManualClock) -> Store:
        return memory_store(clock=clock)
