"""Make a read model anew from the log beside the old one, while services write and people read.

The new index is filled from the start of the log, brought up to date, and then takes the alias in one step.
A closing pass folds what was stored up to a watermark taken after the swap. That is enough: whoever folds an
event has stored it before, and looks up the alias after that; so what a writer still puts into the old index
was stored before the swap. Everything is a compare-and-set, so that a rebuild that was killed is taken up
where its checkpoint stands, and repeating a part of it changes nothing.
"""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.parse import Event

from dwh_eventstore import folds, indices, mappings
from dwh_eventstore.backend import Backend
from dwh_eventstore.definitions import REFRESH, unread_definition
from dwh_eventstore.errors import StoreError
from dwh_eventstore.read_models import ReadModels
from dwh_eventstore.replay.checkpoints import Checkpoints
from dwh_eventstore.replay.lock import Lock
from dwh_eventstore.replay.projection import sources, with_sources
from dwh_eventstore.replay.verify import Progress, Verified, verify
from dwh_eventstore.replay.watermark import (
    CatchUp,
    Key,
    Position,
    Watermark,
    partitions,
    positions_from_json,
    positions_to_json,
)

CHUNK_EVENTS = 2000
_CHUNKS_UNDER_WAY = 2
_SHORTER = 0.8
LAG_SECONDS = 1.0
"""A round of catching up that took less is followed by the swap."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rebuild would do."""

    name: str
    current: str
    target: str
    events: int
    """To be read."""
    resumed: bool
    holder: str | None
    """Who rebuilds it now."""


@dataclass(slots=True)
class _State:
    """How far a rebuild is; saved after each chunk."""

    source: str
    target: str
    positions: dict[Key, Position] = field(default_factory=dict)
    began: dict[Key, Position] = field(default_factory=dict)
    """The end of the log when the rebuild began: from there on the old index may lack events."""
    done: bool = False

    def to_json(self) -> JsonObject:
        return {
            "kind": "rebuild",
            "source": self.source,
            "target": self.target,
            "positions": positions_to_json(self.positions),
            "began": positions_to_json(self.began),
            "done": self.done,
        }


class _Chunks:
    """Two chunks of events under way: one is folded while the engine writes the other.

    Positions are saved in order, each when its chunk and all before it are written. Whoever leaves waits
    until nothing is under way any more, and gets the failure of a chunk if there was one.
    """

    def __init__(
        self,
        fold: Callable[[Sequence[Event]], Awaitable[object]],
        save: Callable[[dict[Key, Position]], Awaitable[None]],
    ) -> None:
        self._fold = fold
        self._save = save
        self._under_way: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        answers = await asyncio.gather(*self._under_way, return_exceptions=True)
        for answer in answers:
            if error is None and answer is not None:
                raise answer

    async def begin(self, events: Sequence[Event], read: dict[Key, Position]) -> None:
        """Fold a chunk, when the one before the last is done."""
        before = self._under_way[-1] if self._under_way else None
        self._under_way.append(asyncio.create_task(self._chunk(events, read, before)))
        if len(self._under_way) > _CHUNKS_UNDER_WAY:
            await self._under_way[0]
            del self._under_way[0]

    async def _chunk(
        self, events: Sequence[Event], read: dict[Key, Position], before: asyncio.Task[None] | None
    ) -> None:
        await self._fold(events)
        if before is not None:
            await before
        await self._save(read)


class _JobsThatShare:
    """The read models of the jobs that share one index, found as their events come.

    A job that no service has folded yet is given its place here, as whoever folds it first does.
    """

    def __init__(self) -> None:
        self._shares: dict[str, bool] = {}

    async def of(self, events: Sequence[Event], folded: ReadModels) -> frozenset[str]:
        """Those known so far, every job of these events among them."""
        for event in events:
            model = indices.job_read_model(event.job_name)
            if model not in self._shares and any(target.model == model for target in folds.targets(event)):
                self._shares[model] = indices.is_shared(await folded.place(model, event.job_name))
        return frozenset(model for model, shares in self._shares.items() if shares)


class Rebuild:
    """Rebuilds one read model; `owner` names this process to others."""

    def __init__(
        self,
        backend: Backend,
        name: str,
        *,
        owner: str,
        clock: Clock,
        replicas: int = 0,
        progress: Progress = lambda *_: None,
    ) -> None:
        self._backend = backend
        self._name = name
        self._clock = clock
        self._replicas = replicas
        self._progress = progress
        self._lock = Lock(backend, clock, name, owner)
        self._checkpoints = Checkpoints(backend)
        self._reader = CatchUp(backend, partitions(*sources(name)))
        self._models = with_sources([name])
        self._jobs = _JobsThatShare() if name == indices.SHARED_JOBS else None

    async def plan(self) -> Plan:
        """What `run` would do; changes nothing."""
        state, resumed = await self._state()
        mark = await self._reader.watermark()
        current, holder = await self._current(), await self._lock.holder()
        return Plan(self._name, current, state.target, mark.count(state.positions), resumed, holder)

    async def run(self) -> Verified:
        """Rebuild, or finish a rebuild that was interrupted, and verify the result.

        Raises:
            Held: somebody else rebuilds this read model.
        """
        async with self._lock.held():
            state = await self._begin()
            if await self._current() != state.target:
                await self._follow(state, state.target)
                await self._swap(state.source, state.target)
            return await self._finish(state, state.target)

    async def rollback(self) -> Verified:
        """Bring the index before the last rebuild up to date and give it the alias again.

        Raises:
            StoreError: there is no such index any more.
        """
        async with self._lock.held():
            state, _ = await self._state(open_only=False)
            current = await self._current()
            if not state.source or await self._backend.describe(state.source) is None:
                raise StoreError(f"there is no earlier index of {self._name} to go back to")
            if current == state.source:
                raise StoreError(f"{self._name} already is {current}")
            state.positions = dict(state.began)
            await self._follow(state, state.source)
            await self._swap(current, state.source)
            return await self._finish(state, state.source)

    async def drop_old(self) -> list[str]:
        """Remove every index of this read model but the one in use; their names.

        Raises:
            StoreError: a rebuild is under way.
        """
        async with self._lock.held():
            current = await self._current()
            state, resumed = await self._state()
            if resumed:
                raise StoreError(f"the rebuild into {state.target} is not finished; run it again first")
            old = [index for index in await self._versions() if index != current]
            for index in old:
                if aliases := await self._aliases(index):
                    raise StoreError(
                        f"{index} is still read as {', '.join(sorted(aliases))}; rebuild it again"
                    )
                await self._backend.drop_index(index)
            return old

    async def _current(self) -> str:
        current = await self._backend.resolve(self._name)
        if current is None:
            raise StoreError(f"there is no read model {self._name}")
        if indices.is_shared(current) and self._name != indices.SHARED_JOBS:
            shared = indices.SHARED_JOBS
            raise StoreError(f"{self._name} shares {current} with other jobs: `dwh store rebuild {shared}`")
        return current

    async def _versions(self) -> list[str]:
        return indices.versions(self._name, await self._backend.names(f"rm-{self._name}-v*"))

    async def _state(self, *, open_only: bool = True) -> tuple[_State, bool]:
        """The rebuild that was interrupted, or a new one; whether it is the former."""
        current = await self._current()
        saved = await self._checkpoints.load(self._key)
        if saved and (not open_only or await self._is_open(saved)):
            state = _State(
                str(saved["source"]),
                str(saved["target"]),
                positions_from_json(saved),
                positions_from_json(saved, "began"),
                done=bool(saved["done"]),
            )
            return state, True
        newest = max(indices.version_of(index) for index in await self._versions())
        source = current if open_only else ""
        return _State(source, indices.physical(self._name, newest + 1)), False

    async def _is_open(self, saved: JsonObject) -> bool:
        """Whether it is not finished and was begun by these folds."""
        target = await self._backend.describe(str(saved["target"])) or {}
        version = mappings.fold_version(target.get("mappings"))
        return not saved["done"] and version in {None, mappings.FOLD_VERSION}

    async def _begin(self) -> _State:
        """Save what is begun before its index exists: a crash in between leaves no index without a record."""
        state, resumed = await self._state()
        if not resumed:
            state.began = (await self._reader.watermark()).positions
            await self._save(state)
        definition = unread_definition(self._name, self._replicas)
        if await self._backend.create_index(state.target, definition):
            state.positions = {}
        await self._backend.settle()
        return state

    async def _follow(self, state: _State, index: str) -> None:
        """Fold the log into an index until less than a second of it is left, or rounds get no shorter.

        The latter is a machine too busy to come closer: waiting on would bring the swap no nearer.
        """
        before = math.inf
        while True:
            started = self._clock.monotonic()
            await self._pass(state, index, await self._reader.watermark(), "replay")
            took = self._clock.monotonic() - started
            if took < LAG_SECONDS or took > _SHORTER * before:
                return
            before = took

    async def _swap(self, source: str, target: str) -> None:
        """Readers go from one complete index to another: what was folded is searchable before."""
        await self._backend.change_settings(target, {"index.refresh_interval": REFRESH})
        await self._backend.refresh([target])
        await self._lock.check()
        await self._backend.move_aliases(await self._aliases(source), source, target)

    async def _follow_late(self, target: str) -> None:
        """Bring the aliases of jobs that were first seen during the swap."""
        for index in await self._versions():
            if index != target and (late := await self._aliases(index)):
                await self._backend.move_aliases(late, index, target)

    async def _aliases(self, index: str) -> dict[str, JsonObject]:
        """Those by which people read this read model in an index; other aliases of it are not ours."""
        found = indices.aliases_of(await self._backend.describe(index))
        return {name: shows for name, shows in found.items() if self._jobs is not None or name == self._name}

    async def _close(self, state: _State, index: str) -> None:
        await self._pass(state, index, await self._reader.watermark(), "closing pass")
        state.done = True
        await self._save(state)

    async def _pass(self, state: _State, index: str, until: Watermark, step: str) -> None:
        pinned = {self._name: index}
        folded = self._read_models(index, pinned)
        total, done, events = until.count(state.positions), 0, list[Event]()
        read = dict(state.positions)

        async def save(positions: dict[Key, Position]) -> None:
            await self._lock.check()
            state.positions = positions
            await self._save(state)

        async def fold(chunk: Sequence[Event]) -> None:
            models: Container[str] = self._models
            if self._jobs is not None:
                models = await self._jobs.of(chunk, folded)
                pinned.update(dict.fromkeys(models, index))
            await folded.refold(chunk, models)

        async with _Chunks(fold, save) as chunks:
            async for batch in self._reader.read(state.positions, until):
                events += batch.events()
                read[batch.key] = batch.position
                done += len(batch.found)
                if len(events) >= CHUNK_EVENTS:
                    await self._lock.check()
                    await chunks.begin(events, dict(read))
                    events = []
                    self._progress(step, done, total)
            await chunks.begin(events, until.positions)
        self._progress(step, total, total)

    def _read_models(self, index: str, pinned: Mapping[str, str]) -> ReadModels:
        jitter = random.Random(index).random  # noqa: S311 - spreads retries, protects nothing
        return ReadModels(
            self._backend, clock=self._clock, replicas=self._replicas, jitter=jitter, pinned=pinned
        )

    async def _finish(self, state: _State, index: str) -> Verified:
        """Close, and verify what came of it."""
        await self._follow_late(index)
        await self._close(state, index)
        [verified] = await verify(
            self._backend,
            [self._name],
            clock=self._clock,
            progress=self._progress,
            fold_news=lambda: self._close(state, index),
        )
        return verified

    async def _save(self, state: _State) -> None:
        await self._checkpoints.save(self._key, state.to_json())

    @property
    def _key(self) -> str:
        return f"rebuild|{self._name}"
