import asyncio
from collections.abc import Sequence

import pytest
from dwh_eventstore import MemoryBackend, Store, memory_store
from dwh_eventstore.backend import Found, Write, Written
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


class SharedBackend(MemoryBackend):
    """Memory that lets others run at each call, as a server does."""

    shared = False

    async def write(self, writes: Sequence[Write]) -> list[Written]:
        await self._others()
        return await super().write(writes)

    async def read(self, references: Sequence[tuple[str, str]]) -> list[Found | None]:
        await self._others()
        return await super().read(references)

    async def _others(self) -> None:
        if self.shared:
            await asyncio.sleep(0)


@pytest.fixture
def store() -> Store:
    backend = SharedBackend()
    store = memory_store(clock=HastyClock(START), backend=backend)
    backend.shared = True
    return store


class TestReadingMemory(ReadingSuite):
    pass


class TestReplayOverMemory(ReplaySuite):
    pass


class TestArchiveOverMemory(ArchiveSuite):
    pass


class TestTimeOverMemory(TimeSuite):
    pass


class TestSharedJobsOverMemory(SharedJobsSuite):
    pass


class TestLockOverMemory(LockSuite):
    pass
