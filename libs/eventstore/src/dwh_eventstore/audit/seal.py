"""Write a digest of what came to each partition since its last one.

Safe to run twice at once: a digest is a create under its place in the chain, and whoever comes second leaves
the next stretch to the next run. The events of a digest are written before the digest itself, its second copy
after it; the next run writes the copy that a killed one left out.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Protocol

from dwh_contracts.canonical import JsonObject, canonical_json
from dwh_contracts.clock import Clock
from dwh_contracts.times import format_time, parse_time

from dwh_eventstore import indices
from dwh_eventstore.audit.digests import FIRST, Digest, Entry, digest_from, entry_of, sha256_of
from dwh_eventstore.audit.keys import DigestKey
from dwh_eventstore.backend import Backend, Create, Fate, Found, Query, Shard
from dwh_eventstore.errors import StoreUnavailable
from dwh_eventstore.replay.watermark import CatchUp

ENTRIES_PER_PART = 5000
_PAGE = 500


class Copies(Protocol):
    """Where a second copy of every digest goes, such as a bucket that nobody can change."""

    async def put(self, name: str, body: bytes) -> None:
        """Keep a copy."""
        ...

    async def get(self, name: str) -> bytes | None:
        """The copy, or None."""
        ...


class Sealer:
    """Seals all partitions of the log."""

    def __init__(self, backend: Backend, key: DigestKey, clock: Clock, copies: Copies | None = None) -> None:
        self._backend = backend
        self._key = key
        self._clock = clock
        self._copies = copies

    async def last_sealed(self) -> datetime | None:
        """When anything was sealed last."""
        await self._backend.refresh([indices.DIGESTS])
        query = Query((indices.DIGESTS,), {"kind": "digest"}, sort=(("sealed_at", "desc"),), limit=1)
        found = await self._backend.search(query)
        return parse_time(str(found[0].body["sealed_at"])) if found else None

    async def seal(self) -> int:
        """Seal everything stored before the call, an empty stretch too; how many events are new in it.

        Raises:
            StoreUnavailable: some partitions may be sealed; the next run seals the others.
        """
        log = CatchUp(self._backend)
        watermark = await log.watermark()
        total = 0
        for shard in watermark.shards:
            total += await self._partition(shard)
        return total

    async def _partition(self, shard: Shard) -> int:
        last = await last_digest(self._backend, shard.index)
        if last is not None:
            await self._mend_copy(last)
        after = last.upto if last is not None and last.uuid == shard.uuid else -1
        entries = [entry async for page in hashed(self._backend, shard, after) for _, entry in page]
        digest = Digest(
            partition=shard.index,
            uuid=shard.uuid,
            sequence=last.sequence + 1 if last else 0,
            after=after,
            upto=max(shard.checkpoint, after),
            count=len(entries),
            sha256=sha256_of(entries),
            previous=last.hash if last else FIRST,
            sealed_at=format_time(self._clock.now()),
        )
        await self._write([Create(indices.DIGESTS, *part) for part in _parts(digest, entries)])
        document = digest.document(await self._key.sign(digest.hash))
        if not await self._write([Create(indices.DIGESTS, digest.id, document)]):
            return 0
        await self._copy(digest, document, entries)
        return len(entries)

    async def _copy(self, digest: Digest, document: JsonObject, entries: Sequence[Entry]) -> None:
        if self._copies is not None:
            ordered: Any = sorted(entries)
            await self._copies.put(copy_name(digest), canonical_json({**document, "events": ordered}))

    async def _mend_copy(self, digest: Digest) -> None:
        """Make the second copy that a killed run left out, of what the store holds."""
        if self._copies is None or await self._copies.get(copy_name(digest)) is not None:
            return
        [stored] = await self._backend.read([(indices.DIGESTS, digest.id)])
        entries = await entries_of(self._backend, digest)
        if stored is not None and entries is not None:
            await self._copy(digest, stored.body, entries)

    async def _write(self, creates: Sequence[Create]) -> bool:
        """Whether all of it is new; somebody else may have written it."""
        fates = await self._backend.write(creates) if creates else []
        for written in fates:
            if written.fate not in {Fate.WRITTEN, Fate.CONFLICT}:
                raise StoreUnavailable(f"a digest was not written: {written.detail}")
        return all(written.fate is Fate.WRITTEN for written in fates)


def copy_name(digest: Digest) -> str:
    """Name of a digest's second copy."""
    return f"{digest.partition}/{digest.sequence:08d}.json"


async def digests_of(backend: Backend, partition: str) -> AsyncIterator[JsonObject]:
    """The digests of a partition as they are kept, from the first."""
    query = Query((indices.DIGESTS,), {"kind": "digest", "partition": partition}, sort=(("sequence", "asc"),))
    after: Sequence[Any] | None = None
    while True:
        page = await backend.search(
            Query(query.indices, query.where, sort=query.sort, limit=_PAGE, after=after)
        )
        for found in page:
            yield found.body
        if len(page) < _PAGE:
            return
        after = page[-1].sort


async def sealed_partitions(backend: Backend) -> set[str]:
    """Partitions that have a digest, also those whose index is gone."""
    where: JsonObject = {"kind": "digest", "sequence": 0}
    found = await backend.search(Query((indices.DIGESTS,), where, limit=10_000))
    return {str(hit.body["partition"]) for hit in found}


async def last_digest(backend: Backend, partition: str) -> Digest | None:
    """The newest digest of a partition."""
    await backend.refresh([indices.DIGESTS])
    where: JsonObject = {"kind": "digest", "partition": partition}
    found = await backend.search(Query((indices.DIGESTS,), where, sort=(("sequence", "desc"),), limit=1))
    return digest_from(found[0].body) if found else None


async def hashed(backend: Backend, shard: Shard, after: int) -> AsyncIterator[list[tuple[Found, Entry]]]:
    """Pages of the events behind a sequence number, each with its entry.

    Hashed in a thread: meanwhile this one asks for the next page.
    """
    async for page in backend.scan(shard, after):
        yield await asyncio.to_thread(_hashed, page)


def _hashed(page: Sequence[Found]) -> list[tuple[Found, Entry]]:
    return [(found, entry_of(found)) for found in page]


async def entries_of(backend: Backend, digest: Digest) -> list[Entry] | None:
    """The events of a digest; None when they are not all there or not those it was made of."""
    count = -(-digest.count // ENTRIES_PER_PART)
    parts = await backend.read([(indices.DIGESTS, _part_id(digest, n)) for n in range(count)])
    listed: list[Any] = [each for part in parts if part is not None for each in _listed(part)]
    entries: list[Entry] = [(str(event_id), str(content)) for event_id, content in listed]
    return entries if sha256_of(entries) == digest.sha256 else None


def _parts(digest: Digest, entries: Sequence[Entry]) -> list[tuple[str, JsonObject]]:
    ordered: list[Any] = [list(entry) for entry in sorted(entries)]
    starts = range(0, len(ordered), ENTRIES_PER_PART)
    return [
        (_part_id(digest, n), {"kind": "events", "events": ordered[start : start + ENTRIES_PER_PART]})
        for n, start in enumerate(starts)
    ]


def _part_id(digest: Digest, number: int) -> str:
    """Of the list as well as of the place: two that seal at once may have seen different ends."""
    return f"{digest.id}|{digest.sha256[:16]}|{number}"


def _listed(part: Found) -> list[Any]:
    events: Any = part.body.get("events")
    return events if isinstance(events, list) else []
