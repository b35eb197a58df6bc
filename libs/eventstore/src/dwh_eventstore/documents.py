"""Documents that change by compare-and-set: claims, heads, leases, last good configs."""

from collections.abc import Mapping
from dataclasses import dataclass

from dwh_contracts.canonical import JsonObject

from dwh_eventstore.backend import Backend, Create, Fate, Query, Replace, Where, Written
from dwh_eventstore.errors import AppendRejected, StoreUnavailable
from dwh_eventstore.mappings import SEARCHABLE_DOCUMENT_FIELDS

_LONGEST_KEY_BYTES = 512


@dataclass(frozen=True, slots=True)
class Versioned:
    """A document and the version that `Documents.replace` compares."""

    key: str
    body: JsonObject
    seq_no: int
    primary_term: int


class Documents:
    """Documents of one index by key.

    Promises that of any number of concurrent `create` of a key, or of `replace` of a version, exactly one
    returns True, and that `get` sees it at once.
    """

    def __init__(self, backend: Backend, index: str) -> None:
        self._backend = backend
        self._index = index

    async def get(self, key: str) -> Versioned | None:
        """The newest version, or None."""
        [found] = await self._backend.read([(self._index, key)])
        return None if found is None else Versioned(key, found.body, found.seq_no, found.primary_term)

    async def create(self, key: str, body: JsonObject) -> bool:
        """Write the first version; False if there is one."""
        if len(key.encode()) > _LONGEST_KEY_BYTES:
            raise ValueError(f"key of more than {_LONGEST_KEY_BYTES} bytes: {key[:80]}…")
        [written] = await self._backend.write([Create(self._index, key, body)])
        return self._won(key, written)

    async def replace(self, versioned: Versioned, body: JsonObject) -> bool:
        """Write over exactly this version; False when it is no longer the newest."""
        write = Replace(self._index, versioned.key, body, versioned.seq_no, versioned.primary_term)
        [written] = await self._backend.write([write])
        return self._won(versioned.key, written)

    async def find(
        self,
        where: Where,
        *,
        ranges: Mapping[str, tuple[str | None, str | None]] | None = None,
        limit: int = 1000,
        refresh: bool = True,
    ) -> list[Versioned]:
        """Documents with these values of mapped fields, oldest first; `ranges` are from (incl.), to (excl.).

        With `refresh` everything written before the call is seen.

        Raises:
            ValueError: a field that documents are not searchable by.
        """
        unknown = (set(where) | set(ranges or {})) - SEARCHABLE_DOCUMENT_FIELDS
        if unknown:
            raise ValueError(f"documents are not searchable by {', '.join(sorted(unknown))}")
        if refresh:
            await self._backend.refresh([self._index])
        query = Query(
            indices=(self._index,),
            where=where,
            ranges=ranges or {},
            sort=(("created_at", "asc"),),
            limit=limit,
        )
        hits = await self._backend.search(query)
        return [Versioned(hit.id, hit.body, hit.seq_no, hit.primary_term) for hit in hits]

    def _won(self, key: str, written: Written) -> bool:
        if written.fate in {Fate.WRITTEN, Fate.CONFLICT}:
            return written.fate is Fate.WRITTEN
        problem = f"{self._index}/{key} was not written: {written.detail}"
        raise AppendRejected(problem) if written.fate is Fate.REFUSED else StoreUnavailable(problem)
