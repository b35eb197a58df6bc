import pytest
from dwh_contracts.clock import ManualClock
from dwh_eventstore import MemoryBackend, Store, memory_store
from dwh_eventstore.testing import BackendSuite, StoreSuite
from dwh_eventstore.testing.backend_suite import make_indices
from dwh_eventstore.testing.events import START


class TestMemoryBackend(BackendSuite):
    @pytest.fixture
    async def backend(self) -> MemoryBackend:
        backend = MemoryBackend()
        await make_indices(backend)
        return backend


class TestStoreOverMemory(StoreSuite):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock(START)

    @pytest.fixture
    def store(self, clock: ManualClock) -> Store:
        return memory_store(clock=clock)
