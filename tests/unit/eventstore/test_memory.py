import pytest
from dwh_contracts.clock import ManualClock
from dwh_eventstore import MemoryBackend, Store, StoreError, memory_store
from dwh_eventstore.bootstrap import bootstrap_backend
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


@pytest.mark.parametrize("version", ["2.18.0", "1.3.20", "7.10.2 of another kind", "soon"])
async def test_bootstrap_refuses_an_engine_that_cannot_hold_an_append_only_index(version: str) -> None:
    backend = MemoryBackend(version)
    with pytest.raises(StoreError, match="cannot hold the event store"):
        await bootstrap_backend(backend, replicas=0, now=START)
    assert await backend.names("*") == []


@pytest.mark.parametrize("version", ["2.19.0", "2.19.1", "3.0.0-beta1", "3.8.0", "10.1.0"])
async def test_bootstrap_takes_2_19_and_what_came_after(version: str) -> None:
    assert await bootstrap_backend(MemoryBackend(version), replicas=0, now=START)
