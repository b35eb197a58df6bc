"""Compare the log with its digests and name every event that differs."""

from dataclasses import dataclass, field
from typing import Literal

import orjson
from dwh_contracts.canonical import JsonObject

from dwh_eventstore import indices
from dwh_eventstore.audit.digests import FIRST, Digest, digest_from
from dwh_eventstore.audit.keys import DigestKey
from dwh_eventstore.audit.seal import Copies, copy_name, digests_of, entries_of, hashed, sealed_partitions
from dwh_eventstore.backend import Backend, Shard
from dwh_eventstore.replay.verify import Progress
from dwh_eventstore.replay.watermark import CatchUp, partitions

Kind = Literal["edited", "deleted", "inserted", "recreated", "digest"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was sealed."""

    kind: Kind
    partition: str
    id: str
    """Of the event; of the digest or the index where the finding is about that."""
    detail: str = ""


@dataclass(slots=True)
class Audited:
    """The outcome of an audit."""

    digests: int = 0
    events: int = 0
    """Sealed events that were looked up."""
    unsealed: int = 0
    """Events that no digest covers yet."""
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class _Sealed:
    """What the digests of one partition say together."""

    digests: list[Digest] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)
    """By event id; of several digests the first stands, so that sealing again blesses nothing."""
    since: str = ""
    """When the last digest was sealed that is left out."""


async def audit(
    backend: Backend,
    key: DigestKey,
    *,
    since: str | None = None,
    copies: Copies | None = None,
    progress: Progress = lambda *_: None,
) -> Audited:
    """Check every partition; with `since` only what was sealed from then on.

    Raises:
        StoreUnavailable: the log or the digests cannot be read completely.
    """
    answer = Audited()
    await backend.refresh([indices.DIGESTS])
    standing = {name for pattern in partitions() for name in await backend.names(pattern)}
    for partition in sorted({*standing, *await sealed_partitions(backend)}):
        sealed = await _sealed(backend, key, partition, since, copies, answer)
        shard = None
        if partition in standing:  # after its digests: one that is sealed meanwhile covers what comes later
            [shard] = (await CatchUp(backend, (partition,)).watermark()).shards
        await _compare(backend, partition, shard, sealed, answer, progress)
    return answer


async def _sealed(
    backend: Backend,
    key: DigestKey,
    partition: str,
    since: str | None,
    copies: Copies | None,
    answer: Audited,
) -> _Sealed:
    sealed, previous, expected = _Sealed(), FIRST, 0
    async for document in digests_of(backend, partition):
        digest = digest_from(document)
        problems = await _problems(document, digest, key, previous, expected)
        problems += await _copy_problems(copies, digest, document)
        previous, expected = digest.hash, digest.sequence + 1
        answer.digests += 1
        if since is None or digest.sealed_at >= since:
            entries = await entries_of(backend, digest)
            problems += [] if entries is not None else ["its list of events is not the one it was made of"]
            sealed.digests.append(digest)
            for event_id, content in entries or ():
                sealed.hashes.setdefault(event_id, content)
        else:
            sealed.since = digest.sealed_at
        answer.findings += [Finding("digest", partition, digest.id, problem) for problem in problems]
    if copies is not None and await copies.get(f"{partition}/{expected:08d}.json") is not None:
        following = f"{partition}|{expected:08d}"
        if await backend.read([(indices.DIGESTS, following)]) == [None]:  # else it was sealed just now
            detail = "a copy of it is kept, the digest itself is gone"
            answer.findings.append(Finding("digest", partition, following, detail))
    return sealed


async def _problems(
    document: JsonObject, digest: Digest, key: DigestKey, previous: str, expected: int
) -> list[str]:
    found = []
    if document.get("hash") != digest.hash or not await key.signed(
        digest.hash, str(document.get("signature"))
    ):
        found.append("it is not signed by this key, or was changed since")
    if digest.previous != previous or digest.sequence != expected:
        found.append("it does not follow the one before")
    return found


async def _copy_problems(copies: Copies | None, digest: Digest, document: JsonObject) -> list[str]:
    kept = await copies.get(copy_name(digest)) if copies is not None else None
    if copies is None or (kept is not None and orjson.loads(kept)["hash"] == document.get("hash")):
        return []
    return ["its second copy is missing" if kept is None else "its second copy differs"]


async def _compare(
    backend: Backend,
    partition: str,
    shard: Shard | None,
    sealed: _Sealed,
    answer: Audited,
    progress: Progress,
) -> None:
    answer.events += len(sealed.hashes)
    seen: set[str] = set()
    range_ = _Range(sealed, shard)
    if shard is not None and range_.recreated:
        answer.findings.append(
            Finding("recreated", partition, partition, "the index is not the one that was sealed")
        )
    if shard is not None:
        async for page in hashed(backend, shard, range_.after):
            for found, (event_id, content) in page:
                seen.add(event_id)
                wanted = sealed.hashes.get(event_id)
                if wanted is None and range_.covers(found.seq_no, str(found.body.get("recorded_at"))):
                    answer.findings.append(Finding("inserted", partition, event_id, "no digest names it"))
                elif wanted is None:
                    answer.unsealed += 1
                elif wanted != content:
                    detail = f"its content hash was {wanted[:12]}… and is {content[:12]}…"
                    answer.findings.append(Finding("edited", partition, event_id, detail))
            progress(f"audit {partition}", page[-1][0].seq_no - range_.after, shard.checkpoint - range_.after)
    answer.findings += [
        Finding("deleted", partition, event_id, "it was sealed and is gone")
        for event_id in sorted(set(sealed.hashes) - seen)
    ]


class _Range:
    """Which stretch of an index the digests speak of."""

    def __init__(self, sealed: _Sealed, shard: Shard | None) -> None:
        digests = sealed.digests
        self._since = sealed.since
        self._last = digests[-1] if digests else None
        self.recreated = any(shard is not None and digest.uuid != shard.uuid for digest in digests)
        self.after = -1 if self.recreated or not digests else digests[0].after

    def covers(self, seq_no: int, recorded_at: str) -> bool:
        """Whether an event in this place should have been sealed.

        Sequence numbers say nothing in an index that was made anew; there the time of recording does.
        """
        if self._last is None:
            return False
        if self.recreated:
            return self._since <= recorded_at < self._last.sealed_at
        return seq_no <= self._last.upto
