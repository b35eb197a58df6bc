"""Catch-up reading: every event once and none missed, while others write.

A watermark is taken from the primaries and then the indices are refreshed: up to it everything is visible,
and nothing below it appears later. Reading "what is newer than the last one I saw" instead loses events,
because an event with a lower number may become visible after one with a higher.

Does not promise an order between partitions. A position outlives the process: `positions_to_json`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dwh_contracts import parse
from dwh_contracts.canonical import JsonObject
from dwh_contracts.parse import Event

from dwh_eventstore import indices
from dwh_eventstore.backend import Backend, Found, Shard
from dwh_eventstore.errors import StoreUnavailable


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where one shard was read."""

    uuid: str
    seq_no: int


Key = tuple[str, int]
"""Index and shard."""
Positions = Mapping[Key, Position]


@dataclass(frozen=True, slots=True)
class Watermark:
    """Up to where everything can be read, per shard."""

    shards: tuple[Shard, ...]

    @property
    def positions(self) -> dict[Key, Position]:
        """Where a reader is that has read all of it."""
        return {_key(shard): Position(shard.uuid, shard.checkpoint) for shard in self.shards}

    def limited(self, goal: Positions) -> "Watermark":
        """The lower of this and an earlier one; a partition that is not in the earlier one is left out."""
        return Watermark(
            tuple(
                replace(shard, checkpoint=min(shard.checkpoint, _start(shard, goal)))
                for shard in self.shards
                if _key(shard) in goal
            )
        )

    def count(self, since: Positions) -> int:
        """How many numbers lie between; as many events, as nothing is ever written over."""
        return sum(max(shard.checkpoint - _start(shard, since), 0) for shard in self.shards)


@dataclass(frozen=True, slots=True)
class Batch:
    """A page of stored documents and the position after it."""

    found: Sequence[Found]
    key: Key
    position: Position

    def events(self) -> list[Event]:
        """Its events, typed."""
        return [stored_event(found) for found in self.found]


def stored_event(found: Found) -> Event:
    """The event that a document of the log holds."""
    body: Any = found.body["body"]
    return parse.stored_event(body)


def partitions(*families: indices.Family) -> tuple[str, ...]:
    """Where the events of these families (all when none is named) lie."""
    return (*(indices.month_pattern(family) for family in families or indices.FAMILIES), indices.LATE)


class CatchUp:
    """A reader of some partitions of the log."""

    def __init__(
        self, backend: Backend, patterns: Sequence[str] = partitions(), fields: Sequence[str] = ()
    ) -> None:
        self._backend = backend
        self._patterns = patterns
        self._fields = fields

    async def watermark(self) -> Watermark:
        """Take a watermark and make everything up to it visible.

        Raises:
            StoreUnavailable: a partition has no primary; nothing may be concluded from the others.
        """
        shards = await self._backend.shards(self._patterns)
        if shards:
            await self._backend.refresh(sorted({shard.index for shard in shards}))
        return Watermark(tuple(shards))

    async def read(self, since: Positions, until: Watermark) -> AsyncIterator[Batch]:
        """What was stored after one position and up to a watermark of this reader.

        A partition that was made anew under its name is read from its start.

        Raises:
            StoreUnavailable: a partition that was read before is gone, or a page is not complete.
        """
        gone = sorted({index for index, _ in since} - {shard.index for shard in until.shards})
        if gone:
            raise StoreUnavailable(f"partitions that were read before are missing: {', '.join(gone)}")
        for shard in until.shards:
            async for page in self._backend.scan(shard, _start(shard, since), self._fields):
                yield Batch(page, _key(shard), Position(shard.uuid, page[-1].seq_no))


def positions_to_json(positions: Positions) -> list[Any]:
    """Positions as a document can hold them."""
    return [[index, number, each.uuid, each.seq_no] for (index, number), each in sorted(positions.items())]


def positions_from_json(document: JsonObject, name: str = "positions") -> dict[Key, Position]:
    """The positions that a document holds under a name; none where it has no such."""
    told: Any = document.get(name) or []
    return {(index, number): Position(uuid, seq_no) for index, number, uuid, seq_no in told}


def _key(shard: Shard) -> Key:
    return shard.index, shard.number


def _start(shard: Shard, since: Positions) -> int:
    position = since.get(_key(shard))
    return position.seq_no if position is not None and position.uuid == shard.uuid else -1
