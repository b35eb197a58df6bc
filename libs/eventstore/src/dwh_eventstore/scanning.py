"""Reading a shard in the order of its sequence numbers, completely.

`shards` must be read from the primary, then the index refreshed, then scanned on the primary: a replica, or
a search without the refresh, may lack a number below one that it shows.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import JsonValue

from dwh_eventstore.backend import Found, Shard
from dwh_eventstore.errors import StoreUnavailable

Ask = Callable[..., Awaitable[Any]]
"""`OpenSearchBackend._ask`."""
Sleep = Callable[[float], Awaitable[None]]

MOST_DOCUMENTS = 2000
_FEWEST_DOCUMENTS = 20
_PAGE_BYTES = 16 * 1024 * 1024
_PACKED = 4
"""A document takes about so many times its share of the disk."""
_NEW_INDEX_WAITS_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6)
_KEEP = "2m"
_FILTER = "timed_out,_shards,hits.hits._id,hits.hits._seq_no,hits.hits._primary_term,hits.hits._source"
_ACTIVE = frozenset({"STARTED", "RELOCATING"})


class _NoPrimary(StoreUnavailable):
    """As of an index that has just been made."""


async def shards(ask: Ask, patterns: Sequence[str], sleep: Sleep = asyncio.sleep) -> list[Shard]:
    """See `Backend.shards`. Waits some seconds for an index that has just been made."""
    for pause in (*_NEW_INDEX_WAITS_SECONDS, None):
        try:
            return await _shards(ask, patterns)
        except _NoPrimary:
            if pause is None:
                raise
            await sleep(pause)
    raise AssertionError("the last try returns or raises")


async def _shards(ask: Ask, patterns: Sequence[str]) -> list[Shard]:
    named = ",".join(patterns)
    wanted = "*.settings.index.uuid,*.settings.index.number_of_shards"
    known = await ask("GET", f"/{named}", params={"filter_path": wanted})
    answer = await ask("GET", f"/{named}/_stats/store", params={"level": "shards"})
    return [
        _shard(answer["indices"], index, settings["settings"]["index"]["uuid"], number)
        for index, settings in sorted(known.items())
        for number in range(int(settings["settings"]["index"]["number_of_shards"]))
    ]


def _shard(stats: Mapping[str, Any], index: str, uuid: str, number: int) -> Shard:
    copies = stats.get(index, {}).get("shards", {}).get(str(number), [])
    for copy in copies:
        if copy["routing"]["primary"] and copy["routing"]["state"] in _ACTIVE:
            checkpoint = copy["seq_no"]["global_checkpoint"]
            size = copy["store"]["size_in_bytes"] // max(checkpoint + 1, 1)  # documents count after a refresh
            return Shard(index, uuid, number, checkpoint, size)
    raise _NoPrimary(f"shard {number} of {index} has no primary that could be read")


async def scan(ask: Ask, shard: Shard, after: int, fields: Sequence[str] = ()) -> AsyncIterator[list[Found]]:
    """See `Backend.scan`. Reads one page ahead."""
    windows = list(_windows(shard, after))
    if not windows:
        return
    pit = _PointInTime(ask, shard)
    ahead: asyncio.Task[list[Found]] | None = None
    try:
        for place, window in enumerate(windows):
            page = await (ahead or pit.page(window, fields))
            ahead = None
            if place + 1 < len(windows):
                ahead = asyncio.ensure_future(pit.page(windows[place + 1], fields))
            if page:
                yield page
    finally:
        if ahead is not None:
            ahead.cancel()
            with suppress(asyncio.CancelledError, StoreUnavailable):
                await ahead
        await pit.close()


def _windows(shard: Shard, after: int) -> Iterator[tuple[int, int]]:
    """Ranges of numbers, each with few enough documents for one answer."""
    size = _PAGE_BYTES // max(shard.document_bytes * _PACKED, 1)
    size = max(_FEWEST_DOCUMENTS, min(MOST_DOCUMENTS, size))
    for start in range(after + 1, shard.checkpoint + 1, size):
        yield start, min(start + size - 1, shard.checkpoint)


class _PointInTime:
    """A view of one shard's primary; opened anew when the engine has lost it."""

    def __init__(self, ask: Ask, shard: Shard) -> None:
        self._ask = ask
        self._shard = shard
        self._id: str | None = None

    async def page(self, window: tuple[int, int], fields: Sequence[str]) -> list[Found]:
        """Documents whose numbers lie in the window, ends included."""
        first, last = window
        body: dict[str, Any] = {
            "size": last - first + 1,
            "query": {"range": {"_seq_no": {"gte": first, "lte": last}}},
            "sort": [{"_seq_no": {"order": "asc", "unmapped_type": "long"}}],
            "seq_no_primary_term": True,
            "track_total_hits": False,
        }
        if fields:
            body["_source"] = list(fields)
        answer = await self._search(body)
        told, lost = answer["_shards"], answer.get("timed_out")
        if told["failed"] or lost or told["total"] != 1:
            raise StoreUnavailable(
                f"shard {self._shard.number} of {self._shard.index} did not answer: {told}"
            )
        return [self._found(hit) for hit in answer.get("hits", {}).get("hits", [])]

    async def _search(self, body: Mapping[str, Any]) -> Any:
        for _ in range(2):
            pit = {"id": self._id or await self._open(), "keep_alive": _KEEP}
            answer = await self._ask(
                "POST", "/_search", {**body, "pit": pit}, {"filter_path": _FILTER}, missing={}
            )
            if answer:
                return answer
            self._id = None
        raise StoreUnavailable(f"the view of {self._shard.index} was lost twice")

    async def _open(self) -> str:
        """Only of the index that was meant, not of one that has taken its name."""
        index, number = self._shard.index, self._shard.number
        params = {"keep_alive": _KEEP, "preference": f"_shards:{number}|_primary"}
        answer = await self._ask("POST", f"/{index}/_search/point_in_time", params=params)
        self._id = str(answer["pit_id"])
        [now] = [shard for shard in await _shards(self._ask, [index]) if shard.number == number]
        if now.uuid != self._shard.uuid:
            raise StoreUnavailable(f"{index} was made anew while it was read")
        return self._id

    def _found(self, hit: Any) -> Found:
        source: dict[str, JsonValue] = hit.get("_source", {})
        return Found(self._shard.index, hit["_id"], source, hit["_seq_no"], hit["_primary_term"])

    async def close(self) -> None:
        """Let the engine forget the view; it does so by itself after two minutes."""
        if self._id is not None:
            with suppress(StoreUnavailable):
                await self._ask("DELETE", "/_search/point_in_time", {"pit_id": [self._id]}, missing={})
