"""Read models against an independent fold of the log, also while services write.

Finds whatever differs from what the stored events say. Cannot find what is wrong with the events themselves:
that is the audit's part. A document that only lags is looked at again and is no difference.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock

from dwh_eventstore import indices
from dwh_eventstore.backend import Backend, Found
from dwh_eventstore.errors import StoreError, StoreUnavailable
from dwh_eventstore.folds.runs import overflowed
from dwh_eventstore.mapping_check import fitting
from dwh_eventstore.mappings import read_model
from dwh_eventstore.replay.projection import Projection, canonical, sources
from dwh_eventstore.replay.watermark import Batch, CatchUp, Key, Position, partitions

Progress = Callable[[str, int, int], None]
"""Step, done, total."""
FoldNews = Callable[[], Awaitable[None]]
"""Folds into the read model what was stored since."""

_LOOKS = 10
_PAUSE_SECONDS = 1.0
_AT_ONCE = 500
_SUM_BYTES = 16


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that is not as the log says."""

    id: str
    kind: Literal["missing", "extra", "differs"]
    fields: tuple[str, ...] = ()
    """Which fields differ."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found in one read model."""

    name: str
    documents: int
    """In the read model."""
    checksum: str
    """Over all its documents, whatever their order."""
    differences: tuple[Difference, ...]


@dataclass(slots=True)
class _Seen:
    """What was compared so far of one read model."""

    ids: set[str] = field(default_factory=set)
    checksum: int = 0
    suspects: list[str] = field(default_factory=list)


async def _left_to_services() -> None:
    pass


async def verify(
    backend: Backend,
    names: Sequence[str] | None,
    *,
    clock: Clock,
    progress: Progress = lambda *_: None,
    fold_news: FoldNews = _left_to_services,
) -> list[Verified]:
    """Compare these read models (all when None) with a fold of the whole log.

    `fold_news` is for a rebuild: a service that was killed between store and fold comes back to its message
    only after the visibility time-out, longer than anybody looks again here.
    """
    check = _Check(backend, names, clock, progress, fold_news)
    await check.fold()
    wanted = names or sorted({*await read_model_names(backend), *check.projection.models})
    return [await check.compare(name) for name in wanted]


async def read_model_names(backend: Backend) -> list[str]:
    """Read models that have an index behind their alias."""
    named = {indices.model_of(index) for index in await backend.names("rm-*")}
    return [name for name in sorted(named) if await backend.resolve(name) is not None]


class _Check:
    """One verification: the fold, kept up to date, and what does not agree with it.

    Pages are worked on in a thread: meanwhile this one asks for the next.
    """

    def __init__(
        self,
        backend: Backend,
        names: Sequence[str] | None,
        clock: Clock,
        progress: Progress,
        fold_news: FoldNews,
    ) -> None:
        families = {family for name in names for family in sources(name)} if names else indices.FAMILIES
        self._names = names
        self.projection = Projection(names)
        self._backend = backend
        self._reader = CatchUp(backend, partitions(*sorted(families)))
        self._clock = clock
        self._progress = progress
        self._fold_news = fold_news
        self._positions: dict[Key, Position] = {}

    async def fold(self) -> None:
        """Bring the fold up to now."""
        mark = await self._reader.watermark()
        await self._find_shared()
        total, done = mark.count(self._positions), 0
        async for batch in self._reader.read(self._positions, mark):
            await asyncio.to_thread(self._fold_page, batch)
            done += len(batch.found)
            self._progress("fold", done, total)
        self._positions = mark.positions

    async def _find_shared(self) -> None:
        """Which jobs share an index; from the start again if there are more of them than before."""
        if self._names is not None and indices.SHARED_JOBS not in self._names:
            return
        found: set[str] = set()
        for index in await self._backend.names(f"rm-{indices.SHARED_JOBS}-v*"):
            found |= indices.aliases_of(await self._backend.describe(index)).keys()
        if twice := sorted(found & {*(self._names or ())} - {indices.SHARED_JOBS}):
            raise StoreError(f"{indices.SHARED_JOBS} holds {', '.join(twice)}: verify it, or that alone")
        if not found <= self.projection.shared:
            self.projection = Projection(self._names, shared=frozenset(found))
            self._positions = {}

    def _fold_page(self, batch: Batch) -> None:
        self.projection.fold(batch.events())

    async def compare(self, name: str) -> Verified:
        """Compare all documents, then look again at those that differ."""
        seen, total = _Seen(), len(self.projection.ids(name))
        async for page in self._documents(name):
            await asyncio.to_thread(self._compare_page, name, page, seen)
            self._progress(f"compare {name}", len(seen.ids), max(total, len(seen.ids)))
        missing = [document for document in self.projection.ids(name) if document not in seen.ids]
        differences = await self._look_again(name, [*seen.suspects, *missing])
        text = (seen.checksum % (1 << 8 * _SUM_BYTES)).to_bytes(_SUM_BYTES, "big").hex()
        return Verified(name, len(seen.ids), text, tuple(differences))

    def _compare_page(self, name: str, page: Sequence[Found], seen: _Seen) -> None:
        for found in page:
            told = canonical(found.body)
            seen.checksum += _sum(told)
            seen.ids.add(found.id)
            if not self.projection.agrees(name, found.id, told) and self._difference(
                name, found.id, found.body
            ):
                seen.suspects.append(found.id)

    async def _look_again(self, name: str, suspects: Sequence[str]) -> list[Difference]:
        """What still differs after some seconds: events on their way into the read model have come."""
        found: list[Difference] = []
        for look in range(_LOOKS):
            if look:
                await self._clock.sleep(_PAUSE_SECONDS)
            found = [each for each in await self._differences(name, suspects) if each is not None]
            suspects = [each.id for each in found]
            if not found:
                break
            await self._fold_news()
            await self.fold()
        return found

    async def _differences(self, name: str, suspects: Sequence[str]) -> list[Difference | None]:
        found: list[Found | None] = []
        for start in range(0, len(suspects), _AT_ONCE):
            ids = suspects[start : start + _AT_ONCE]
            found += await self._backend.read([(name, document) for document in ids])
        return [
            self._difference(name, document, stored.body if stored else None)
            for document, stored in zip(suspects, found, strict=True)
        ]

    async def _documents(self, name: str) -> AsyncIterator[list[Found]]:
        index = await self._backend.resolve(name)
        if index is None:
            if name in indices.FIXED_READ_MODELS:
                raise StoreUnavailable(f"the read model {name} does not exist; run `dwh bootstrap`")
            return
        part = indices.is_shared(index) and name != indices.SHARED_JOBS
        shards = await self._backend.shards([index])
        await self._backend.refresh([index])
        for shard in shards:
            async for page in self._backend.scan(shard, -1):
                yield [found for found in page if _is_of(name, found)] if part else page

    def _difference(self, name: str, document: str, stored: JsonObject | None) -> Difference | None:
        wanted = self.projection.document(name, document)
        if stored == wanted:
            return None
        if wanted is None:
            return Difference(document, "extra")
        if stored is None:
            return Difference(document, "missing")
        if stored.get("payload_overflow") is True:
            wanted = overflowed(wanted)
        fields = _differing(stored, wanted) and _differing(stored, fitting(read_model(name), wanted))
        return Difference(document, "differs", tuple(fields)) if fields else None


def _is_of(name: str, found: Found) -> bool:
    """Whether a document of the index that several jobs share belongs to this one's read model."""
    return indices.job_read_model(str(found.body["job_name"])) == name


def _differing(stored: JsonObject, wanted: JsonObject) -> Collection[str]:
    return sorted(
        name
        for name in {*stored, *wanted}
        if (name in stored) != (name in wanted) or stored.get(name) != wanted.get(name)
    )


def _sum(told: bytes) -> int:
    digest = hashlib.blake2b(told, digest_size=_SUM_BYTES)
    return int.from_bytes(digest.digest(), "big")
