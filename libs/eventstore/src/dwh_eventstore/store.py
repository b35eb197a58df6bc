"""The facade that services and the command line use."""

import random
from collections.abc import Coroutine, Sequence
from typing import Any

from dwh_contracts.clock import Clock, SystemClock
from dwh_contracts.parse import Event

from dwh_eventstore import indices
from dwh_eventstore.backend import Backend
from dwh_eventstore.bootstrap import bootstrap_backend
from dwh_eventstore.claims import Claims
from dwh_eventstore.documents import Documents
from dwh_eventstore.errors import AppendRejected, StoreUnavailable
from dwh_eventstore.leases import Leases
from dwh_eventstore.log import Appended, EventLog, Origin
from dwh_eventstore.memory import MemoryBackend
from dwh_eventstore.opensearch import OpenSearchBackend
from dwh_eventstore.quarantine import Quarantine
from dwh_eventstore.read_models import ReadModels
from dwh_eventstore.settings import StoreSettings


class Store:
    """Events, read models, claims, decisions and quarantine over one backend."""

    def __init__(
        self,
        backend: Backend,
        *,
        environment: str,
        service: str,
        clock: Clock,
        replicas: int = 0,
        most_job_indices: int = indices.MOST_JOB_INDICES,
    ) -> None:
        self.backend = backend
        self.environment = environment
        self.clock = clock
        self.replicas = replicas
        self.events = EventLog(backend, recorder=service, clock=clock)
        jitter = random.Random(service).random  # noqa: S311 - spreads retries, protects nothing
        self.read_models = ReadModels(
            backend, clock=clock, replicas=replicas, jitter=jitter, most_job_indices=most_job_indices
        )
        self.effects = Documents(backend, indices.EFFECTS)
        self.decisions = Documents(backend, indices.DECISIONS)
        self.claims = Claims(self.effects, clock)
        self.leases = Leases(self.effects, clock)
        self.quarantine = Quarantine(backend)

    async def record(self, events: Sequence[Event], origin: Sequence[Origin] | None = None) -> list[Appended]:
        """Append, then fold what the store now holds; one outcome each: STORED, DUPLICATE or CONFLICT.

        A duplicate is folded once more: the first copy's writer may have died between append and fold. Of
        two facts under one id the stored one is folded, so that read models follow the store.

        Raises:
            StoreUnavailable: record the same events again.
            AppendRejected: the engine cannot hold one of them.
        """
        entries = await self.events.put(events, origin)
        await self.read_models.fold(
            [entry.event for entry in entries if entry.outcome.durable and entry.event is not None]
        )
        for event, entry in zip(events, entries, strict=True):
            problem = f"{event.event_type} {event.event_id} was not stored: {entry.outcome}"
            if entry.outcome.retry:
                raise StoreUnavailable(problem)
            if entry.outcome is Appended.REJECTED:
                raise AppendRejected(problem)
        return [entry.outcome for entry in entries]

    async def ping(self) -> None:
        """Return if the server answers; StoreUnavailable, with its address, if it does not."""
        await self.backend.ping()

    async def ready(self) -> None:
        """Return if the server answers and the read models are of this release's folds.

        Raises:
            StoreUnavailable: it does not, or a read model was rebuilt by another release.
        """
        await self.backend.ping()
        await self.read_models.check()

    async def refresh(self) -> None:
        """Make everything written before visible to every search."""
        await self.backend.refresh(["events-*", "rm-*", indices.EFFECTS, indices.DECISIONS])

    async def close(self) -> None:
        """Release connections."""
        await self.backend.close()


async def open_store(settings: StoreSettings, clock: Clock | None = None) -> Store:
    """A store over OpenSearch. Does not wait for the server; `ping` tells whether it answers."""
    return Store(
        OpenSearchBackend(settings),
        environment=settings.environment,
        service=settings.service,
        clock=clock or SystemClock(),
        replicas=settings.replicas,
    )


def memory_store(
    environment: str = "local",
    clock: Clock | None = None,
    *,
    service: str = "test",
    backend: MemoryBackend | None = None,
) -> Store:
    """The same store over the in-memory backend, bootstrapped; give a backend to share it between stores."""
    clock = clock or SystemClock()
    backend = backend or MemoryBackend()
    _at_once(bootstrap_backend(backend, replicas=0, now=clock.now()))
    return Store(backend, environment=environment, service=service, clock=clock)


def _at_once(work: Coroutine[Any, Any, object]) -> None:
    """Run a coroutine that never waits, as none over memory does."""
    try:
        work.send(None)
    except StopIteration:
        return
    work.close()
    raise RuntimeError("the in-memory backend waited")
