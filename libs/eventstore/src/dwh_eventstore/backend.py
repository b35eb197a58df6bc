"""The port to the engine: what everything above it asks of OpenSearch, and nothing more.

Promises of every implementation, checked by `dwh_eventstore.testing.BackendSuite`:
a write whose fate is WRITTEN is durable and seen by the next `read`; `Create` writes at most once per id;
`Replace` writes only over the version it names; an append-only index takes `Create` alone.
Not promised: that `search` sees a write before `refresh`.
"""

import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dwh_contracts.canonical import JsonObject
from pydantic import JsonValue

Where = Mapping[str, JsonValue]
"""Exact values of mapped fields; a list means any of its members."""


class Fate(enum.StrEnum):
    """What became of one write."""

    WRITTEN = "written"
    """Durable."""
    CONFLICT = "conflict"
    """The id exists, or the named version is no longer the newest."""
    MISSING_INDEX = "missing_index"
    """No such index; writes never create one."""
    BLOCKED = "blocked"
    """The index is closed for writing."""
    BUSY = "busy"
    """The engine is overloaded or a shard is away; try again."""
    REFUSED = "refused"
    """The engine cannot take this document or this kind of write."""


@dataclass(frozen=True, slots=True)
class Create:
    """Write a document that must not exist yet."""

    index: str
    id: str
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Replace:
    """Write over exactly the version read before."""

    index: str
    id: str
    body: JsonObject
    seq_no: int
    primary_term: int


Write = Create | Replace


@dataclass(frozen=True, slots=True)
class Written:
    """Fate of one write, with the engine's words when it was not written."""

    fate: Fate
    detail: str = ""
    seq_no: int = -1
    primary_term: int = -1


@dataclass(frozen=True, slots=True)
class Found:
    """One document with the version that `Replace` needs."""

    index: str
    id: str
    body: JsonObject
    seq_no: int
    primary_term: int
    sort: tuple[JsonValue, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A search on mapped fields."""

    indices: Sequence[str]
    """Names or patterns; a pattern may match nothing."""
    where: Where = field(default_factory=dict)
    ranges: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    """Per field: from (inclusive), to (exclusive)."""
    sort: Sequence[tuple[str, str]] = ()
    limit: int = 100
    after: Sequence[JsonValue] | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """How far the primary of one shard has come.

    Every write up to `checkpoint` is finished: after a `refresh` that follows, a `scan` sees all of them, and
    none of these numbers can be given to a later write. -1 when nothing was written.
    """

    index: str
    uuid: str
    """Of the index; another one under the same name has another."""
    number: int
    checkpoint: int
    document_bytes: int = 0
    """Size on disk by the number of writes."""


class Backend(Protocol):
    """The engine."""

    @property
    def pressed(self) -> bool:
        """Whether the engine turned calls away and has not taken enough since to be trusted with all."""
        ...

    async def write(self, writes: Sequence[Write]) -> list[Written]:
        """Perform all writes, each on its own; one fate per write, in order.

        Raises:
            StoreUnavailable: the engine did not answer; any of the writes may have been performed.
        """
        ...

    async def read(self, references: Sequence[tuple[str, str]]) -> list[Found | None]:
        """Realtime reads by (index, id); None where index or document does not exist."""
        ...

    async def search(self, query: Query) -> list[Found]:
        """Documents that match, as of the last refresh; never a part of them without saying so."""
        ...

    async def refresh(self, indices: Sequence[str]) -> None:
        """Make all writes that returned before visible to `search`."""
        ...

    async def shards(self, patterns: Sequence[str]) -> list[Shard]:
        """Every shard of the indices that match, by name and number.

        Raises:
            StoreUnavailable: a name without a wildcard has no index, or a shard has no primary.
        """
        ...

    def scan(self, shard: Shard, after: int, fields: Sequence[str] = ()) -> AsyncIterator[list[Found]]:
        """Documents last written after one sequence number and up to the shard's checkpoint, page by page.

        In the order of their numbers, and none missing if `refresh` followed the reading of the checkpoint.
        `fields` are those of the body to read, all when empty.
        """
        ...

    async def move_aliases(self, aliases: Mapping[str, JsonObject], source: str | None, target: str) -> None:
        """Let aliases name another index, all in one step: no reader finds one missing or double.

        Each comes with its definition as `describe` tells it, `{}` where it names the whole index.
        """
        ...

    async def drop_index(self, index: str) -> None:
        """Remove an index with its documents."""
        ...

    async def resolve(self, alias: str) -> str | None:
        """The one index behind an alias, or None.

        Raises:
            StoreError: it names several.
        """
        ...

    async def describe(self, index: str) -> JsonObject | None:
        """`{settings, mappings, aliases}` of an index as far as they were set, or None."""
        ...

    async def create_index(self, index: str, definition: JsonObject) -> bool:
        """Create an index; False if it exists."""
        ...

    async def add_alias(self, index: str, alias: str, where: Mapping[str, str], *, beside: str) -> bool:
        """Let the alias name those documents of the index that have these values; again is harmless.

        Only while the alias `beside` names this index, in one step; False if it does not.
        """
        ...

    async def put_template(self, name: str, definition: JsonObject) -> None:
        """Create or replace an index template."""
        ...

    async def template(self, name: str) -> JsonObject | None:
        """An index template as it was put."""
        ...

    async def names(self, pattern: str) -> list[str]:
        """Names of the indices that match a pattern, sorted."""
        ...

    async def forbid_auto_create(self, patterns: Sequence[str]) -> None:
        """From now on no write creates an index of these names; what others forbade stays forbidden."""
        ...

    async def auto_create_forbidden(self) -> list[str]:
        """Patterns of names that no write creates an index of; "*" where somebody forbade all."""
        ...

    async def close_for_writing(self, index: str) -> None:
        """Refuse every further write to an index."""
        ...

    async def change_settings(self, index: str, settings: JsonObject) -> None:
        """Change settings that may change while an index lives, by their flat names."""
        ...

    async def add_fields(self, index: str, properties: JsonObject) -> None:
        """Let the mapping of an index have these fields, too.

        Raises:
            StoreError: one is there as another kind.
        """
        ...

    async def settle(self) -> None:
        """Return when every index that was created can be read and written."""
        ...

    async def version(self) -> str:
        """Version of the engine, as it says."""
        ...

    async def ping(self) -> None:
        """Return if the engine answers."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
