"""The engine in memory: the same promises, for tests and dry runs.

Refuses what the real engine refuses: writes to missing, closed or append-only indices, stale versions,
and documents that a strict mapping does not allow. Every write is visible to `search` at once.
"""

import fnmatch
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dwh_contracts.canonical import JsonObject
from pydantic import JsonValue

from dwh_eventstore.backend import Create, Fate, Found, Query, Shard, Write, Written
from dwh_eventstore.errors import StoreError, StoreUnavailable
from dwh_eventstore.mapping_check import field_count, learn
from dwh_eventstore.writer import encoded

_PAGE = 2000


@dataclass(slots=True)
class _Stored:
    body: JsonObject
    seq_no: int


@dataclass(slots=True)
class _Index:
    definition: Any
    uuid: str
    documents: dict[str, _Stored] = field(default_factory=dict)
    next_seq_no: int = 0
    closed: bool = False

    def unfit(self, body: JsonObject) -> str:
        """Why the index cannot take the body; where it can, its mapping learns what is dynamic in it."""
        mapping = self.definition.get("mappings", {})
        learned, problem = learn(mapping, body)
        limit = int(self.definition.get("settings", {}).get("index.mapping.total_fields.limit", 1000))
        if not problem and learned != mapping and field_count(learned) > limit:
            problem = f"Limit of total fields [{limit}] has been exceeded"
        if not problem:
            self.definition["mappings"] = learned
        return problem

    @property
    def append_only(self) -> bool:
        return bool(self.definition.get("settings", {}).get("index.append_only.enabled"))


class MemoryBackend:
    """One engine in one process."""

    def __init__(self, version: str = "3.8.0") -> None:
        self._version = version
        self._indices: dict[str, _Index] = {}
        self._templates: dict[str, JsonObject] = {}
        self._forbidden: list[str] = []
        self._created = 0

    async def write(self, writes: Sequence[Write]) -> list[Written]:
        """See `Backend`."""
        return [self._write(write) for write in writes]

    def _write(self, write: Write) -> Written:
        index = self._index(write.index)
        if index is None:
            return Written(Fate.MISSING_INDEX, f"no such index [{write.index}]")
        if index.closed:
            return Written(Fate.BLOCKED, "FORBIDDEN/8/index write (api)")
        if problem := _never_taken(index, write):
            return Written(Fate.REFUSED, problem)
        if not self._is_current(index, write):
            return Written(Fate.CONFLICT, "version conflict")
        if problem := index.unfit(write.body):
            return Written(Fate.REFUSED, problem)
        seq_no = index.next_seq_no
        index.next_seq_no += 1
        index.documents[write.id] = _Stored(_copied(write.body), seq_no)
        return Written(Fate.WRITTEN, "", seq_no, 1)

    @staticmethod
    def _is_current(index: _Index, write: Write) -> bool:
        stored = index.documents.get(write.id)
        if isinstance(write, Create):
            return stored is None
        return stored is not None and stored.seq_no == write.seq_no

    async def read(self, references: Sequence[tuple[str, str]]) -> list[Found | None]:
        """See `Backend`."""
        return [self._read(name, document) for name, document in references]

    def _read(self, name: str, document: str) -> Found | None:
        index = self._index(name)
        stored = index.documents.get(document) if index else None
        return None if stored is None else _found(name, document, stored)

    async def search(self, query: Query) -> list[Found]:
        """See `Backend`."""
        hits = [
            _found(name, document, stored)
            for name, index in self._matching(query.indices)
            for document, stored in index.documents.items()
            if _matches(stored.body, query) and _named(name, index, stored.body, query.indices)
        ]
        for path, direction in reversed(query.sort):
            hits.sort(key=partial(_sort_key, path), reverse=direction == "desc")
            hits.sort(key=partial(_is_missing, path))
        sorted_hits = [_with_sort(hit, query) for hit in hits]
        if query.after is not None:
            sorted_hits = _past(sorted_hits, tuple(query.after))
        return sorted_hits[: query.limit]

    async def refresh(self, indices: Sequence[str]) -> None:
        """See `Backend`."""

    async def shards(self, patterns: Sequence[str]) -> list[Shard]:
        """See `Backend`."""
        for name in patterns:
            if "*" not in name and self._index(name) is None:
                raise StoreUnavailable(f"no such index [{name}]")
        return [
            Shard(name, index.uuid, 0, index.next_seq_no - 1)
            for name, index in sorted(self._matching(patterns))
        ]

    async def scan(self, shard: Shard, after: int, fields: Sequence[str] = ()) -> AsyncIterator[list[Found]]:
        """See `Backend`."""
        index = self._indices.get(shard.index)
        if index is None or index.uuid != shard.uuid:
            raise StoreUnavailable(f"no such index [{shard.index}]")
        found = [
            _found(shard.index, document, stored)
            for document, stored in index.documents.items()
            if after < stored.seq_no <= shard.checkpoint
        ]
        found.sort(key=lambda hit: hit.seq_no)
        for start in range(0, len(found), _PAGE):
            yield [_only(hit, fields) for hit in found[start : start + _PAGE]]

    async def move_aliases(self, aliases: Mapping[str, JsonObject], source: str | None, target: str) -> None:
        """See `Backend`."""
        for alias, definition in aliases.items():
            if source is not None:
                self._indices[source].definition.get("aliases", {}).pop(alias, None)
            self._indices[target].definition.setdefault("aliases", {})[alias] = _copied(definition)

    async def drop_index(self, index: str) -> None:
        """See `Backend`."""
        del self._indices[index]

    async def resolve(self, alias: str) -> str | None:
        """See `Backend`."""
        found = [name for name, each in self._indices.items() if alias in each.definition.get("aliases", {})]
        if len(found) > 1:
            raise StoreError(f"the alias {alias} names several indices: {', '.join(found)}")
        return next(iter(found), None)

    async def describe(self, index: str) -> JsonObject | None:
        """See `Backend`."""
        found = self._indices.get(index)
        return None if found is None else _copied(found.definition)

    async def create_index(self, index: str, definition: JsonObject) -> bool:
        """See `Backend`."""
        if index in self._indices:
            return False
        self._created += 1
        self._indices[index] = _Index(
            _copied(self._with_template(index, definition)), f"uuid-{self._created}"
        )
        return True

    def _with_template(self, index: str, definition: JsonObject) -> Any:
        merged: Any = _copied(definition)
        for template in self._templates.values():
            patterns: Any = template["index_patterns"]
            if any(fnmatch.fnmatchcase(index, pattern) for pattern in patterns):
                parts: Any = template["template"]
                for part, value in parts.items():
                    merged[part] = {**value, **merged.get(part, {})}
        return merged

    async def add_alias(self, index: str, alias: str, where: Mapping[str, str], *, beside: str) -> bool:
        """See `Backend`."""
        aliases: Any = self._indices[index].definition.setdefault("aliases", {})
        if beside not in aliases:
            return False
        aliases[alias] = {"filter": {"term": dict(where)}}
        return True

    async def put_template(self, name: str, definition: JsonObject) -> None:
        """See `Backend`."""
        self._templates[name] = _copied(definition)

    async def template(self, name: str) -> JsonObject | None:
        """See `Backend`."""
        found: JsonObject | None = _copied(self._templates.get(name))
        return found

    async def names(self, pattern: str) -> list[str]:
        """See `Backend`."""
        return sorted(fnmatch.filter(self._indices, pattern))

    async def forbid_auto_create(self, patterns: Sequence[str]) -> None:
        """See `Backend`; no write to memory ever creates an index."""
        self._forbidden = list(patterns)

    async def auto_create_forbidden(self) -> list[str]:
        """See `Backend`."""
        return self._forbidden

    async def close_for_writing(self, index: str) -> None:
        """See `Backend`."""
        found = self._indices[index]
        found.closed = True
        found.definition.setdefault("settings", {})["index.blocks.write"] = True

    async def change_settings(self, index: str, settings: JsonObject) -> None:
        """See `Backend`; kept, and without effect."""
        self._indices[index].definition.setdefault("settings", {}).update(settings)

    async def add_fields(self, index: str, properties: JsonObject) -> None:
        """See `Backend`."""
        mapping = self._indices[index].definition.setdefault("mappings", {})
        mapping["properties"] = _with_fields(mapping.get("properties", {}), properties)

    async def settle(self) -> None:
        """See `Backend`."""

    async def version(self) -> str:
        """See `Backend`."""
        return self._version

    @property
    def pressed(self) -> bool:
        """See `Backend`."""
        return False

    async def ping(self) -> None:
        """See `Backend`."""

    async def close(self) -> None:
        """See `Backend`."""

    def _index(self, name: str) -> _Index | None:
        if name in self._indices:
            return self._indices[name]
        for index in self._indices.values():
            if name in index.definition.get("aliases", {}):
                return index
        return None

    def _matching(self, patterns: Sequence[str]) -> Iterator[tuple[str, _Index]]:
        for name, index in self._indices.items():
            names = [name, *index.definition.get("aliases", {})]
            if any(fnmatch.fnmatchcase(each, pattern) for each in names for pattern in patterns):
                yield name, index


def _with_fields(present: Any, wanted: Any) -> Any:
    merged = dict(present)
    for name, kind in wanted.items():
        held = merged.setdefault(name, kind)
        if held.get("type") != kind.get("type"):
            raise StoreUnavailable(f"mapper [{name}] cannot be changed to type [{kind.get('type')}]")
        if "properties" in kind:
            merged[name] = {**held, "properties": _with_fields(held["properties"], kind["properties"])}
    return merged


def _never_taken(index: _Index, write: Write) -> str:
    if isinstance(told := encoded(write), Written):
        return told.detail
    appends = isinstance(write, Create) or not index.append_only
    return "" if appends else "append-only indices take creates alone"


def _named(name: str, index: _Index, body: JsonObject, patterns: Sequence[str]) -> bool:
    """Whether a document is one of those that the patterns name: an alias may name a part of its index."""
    filters: list[Any] = [
        alias.get("filter", {}).get("term", {})
        for each, alias in {**index.definition.get("aliases", {}), name: {}}.items()
        if any(fnmatch.fnmatchcase(each, pattern) for pattern in patterns)
    ]
    return any(all(body.get(field) == value for field, value in term.items()) for term in filters)


def _copied(value: Any) -> Any:
    """A copy of something made of JSON; `copy.deepcopy` takes five times as long."""
    if isinstance(value, dict):
        return {name: _copied(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_copied(member) for member in value]
    return value


def _found(index: str, document: str, stored: _Stored) -> Found:
    return Found(index, document, _copied(stored.body), stored.seq_no, 1)


def _only(hit: Found, fields: Sequence[str]) -> Found:
    body = {name: value for name, value in hit.body.items() if name in fields} if fields else hit.body
    return Found(hit.index, hit.id, body, hit.seq_no, hit.primary_term)


def _values(body: JsonValue, path: str) -> list[JsonValue]:
    """Values under a dotted path; lists are looked through, as the engine does."""
    if isinstance(body, list):
        return [value for member in body for value in _values(member, path)]
    if not path:
        return [] if body is None else [body]
    if not isinstance(body, dict):
        return []
    head, _, rest = path.partition(".")
    return _values(body.get(head), rest)


def _first(body: JsonValue, path: str) -> JsonValue:
    values = _values(body, path)
    return values[0] if values else None


def _sort_key(path: str, hit: Found) -> tuple[bool, Any]:
    value = _first(hit.body, path)
    return value is not None, value if value is not None else 0


def _is_missing(path: str, hit: Found) -> bool:
    """Documents without the value come last in either order."""
    return _first(hit.body, path) is None


def _matches(body: JsonObject, query: Query) -> bool:
    for path, wanted in query.where.items():
        allowed = wanted if isinstance(wanted, list) else [wanted]
        if not any(value in allowed for value in _values(body, path)):
            return False
    for path, (lowest, end) in query.ranges.items():
        value = _first(body, path)
        if not isinstance(value, str) or (lowest and value < lowest) or (end and value >= end):
            return False
    return True


def _with_sort(hit: Found, query: Query) -> Found:
    values = tuple(_first(hit.body, path) for path, _ in query.sort)
    return Found(hit.index, hit.id, hit.body, hit.seq_no, hit.primary_term, values)


def _past(hits: Sequence[Found], after: tuple[JsonValue, ...]) -> list[Found]:
    for position, hit in enumerate(hits):
        if hit.sort == after:
            return list(hits[position + 1 :])
    return []
