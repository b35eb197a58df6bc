"""The engine: OpenSearch 2.19 and 3.x. The only module that imports opensearchpy.

Speaks to the HTTP interface through the client's transport, with own bodies: the client's bulk helpers
hide what became of each item.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from dwh_contracts.canonical import JsonObject
from opensearchpy import AsyncOpenSearch
from opensearchpy.exceptions import ConnectionError as NoAnswer
from opensearchpy.exceptions import ConnectionTimeout, TransportError
from opensearchpy.serializer import JSONSerializer

from dwh_eventstore import scanning
from dwh_eventstore.access import DENIED, is_denial, remedy
from dwh_eventstore.backend import Found, Query, Shard, Write, Written
from dwh_eventstore.bulk import denied_by, written
from dwh_eventstore.errors import StoreDenied, StoreError, StoreUnavailable
from dwh_eventstore.settings import StoreSettings
from dwh_eventstore.waits import waits
from dwh_eventstore.writer import Answer, BulkWriter

if TYPE_CHECKING:
    from dwh_eventstore.sigv4 import Signer

Sleep = Callable[[float], Awaitable[None]]

_NOT_FOUND = 404
_OK = 200
_FORBIDDEN = 403
_BUSY = 429
_TRUSTED_AFTER = 20
"""Calls that the engine has taken since it turned one away."""
_BULK_FILTER = "took,errors,items.*.status,items.*.error,items.*._seq_no,items.*._primary_term"
_NO_INDEX = "index_not_found"
_NO_SHARD = "no_shard_available"
_TOO_BUSY = ("circuit_breaking", "rejected_execution")
_NEW_SHARD_SECONDS = 3.0
"""Within these a new index of another writer has its shard; one that was lost comes much later."""
_INFO = 2
"""Place of the answer's body among the arguments of the client's errors."""
_PATH = "action.auto_create_index"


class _Orjson(JSONSerializer):  # type: ignore[misc] # the client is not typed for us
    """Bodies pass through as bytes; answers are parsed by orjson."""

    def dumps(self, data: Any) -> Any:
        return data if isinstance(data, bytes | str) else orjson.dumps(data)

    def loads(self, data: str) -> Any:
        return orjson.loads(data)


class OpenSearchBackend:
    """One cluster over HTTP; safe to share by all tasks of a process."""

    def __init__(self, settings: StoreSettings, sleep: Sleep = asyncio.sleep) -> None:
        self._url = settings.url
        self._wait_for = settings.wait_for_active_shards
        self._timeout = settings.timeout_seconds
        self._sleep = sleep
        self._auth = settings.auth
        self._signer = _signer(settings)
        self._patience = settings.busy_patience_seconds
        self._jitter = random.SystemRandom().random
        self._untrusted = 0
        self._writer = BulkWriter(
            self._bulk,
            undecided=self._undecided,
            sleep=sleep,
            jitter=self._jitter,
            patience_seconds=self._patience,
        )
        self._client = AsyncOpenSearch(
            hosts=[settings.url],
            http_auth=_credentials(settings),
            timeout=settings.timeout_seconds,
            maxsize=settings.connections,
            max_retries=0,  # a repeated create would answer "exists" about our own write
            http_compress=False,
            serializer=_Orjson(),
        )

    async def write(self, writes: Sequence[Write]) -> list[Written]:
        """See `Backend`. Waits and repeats what the engine is too busy for, within its patience."""
        return await self._writer.write(writes)

    async def _bulk(self, body: bytes) -> Answer:
        params = {
            "filter_path": _BULK_FILTER,
            "wait_for_active_shards": self._wait_for,
            "timeout": "5s",  # for the copies, inside the time the client waits
        }
        try:
            answer = await self._call("POST", "/_bulk", body, params)
        except TransportError as error:
            return Answer(error.status_code, reason=_reason(error))
        items = [written(item) for item in answer["items"]]
        if answer["errors"] and (denied := denied_by(answer["items"])):
            return Answer(_FORBIDDEN, reason=denied)
        return Answer(_OK, items)

    def _undecided(self, answer: Answer) -> StoreUnavailable:
        return self._refused(answer.status, answer.reason)

    async def read(self, references: Sequence[tuple[str, str]]) -> list[Found | None]:
        """See `Backend`. Waits for an engine that is too busy, some seconds for the shard of a new index."""
        if not references:
            return []
        docs = [{"_index": index, "_id": document} for index, document in references]
        busy, new = self._waits(), waits(_NEW_SHARD_SECONDS, self._jitter)
        while True:
            items: list[Any] = (await self._ask("POST", "/_mget", {"docs": docs}))["docs"]
            again = False
            if any(_has_error(item, *_TOO_BUSY) for item in items):
                again = await self._turned_away(busy)
            elif any(_has_error(item, _NO_SHARD) for item in items):
                again = await self._paused(new)
            if not again:
                return [self._document(item) for item in items]

    def _document(self, item: Any) -> Found | None:
        if _has_error(item, _NO_INDEX):
            return None
        if "error" in item:
            reason = item["error"].get("reason")
            raise StoreUnavailable(f"{self._url}: {item['_index']}/{item['_id']} is not readable: {reason}")
        if not item["found"]:
            return None
        return Found(item["_index"], item["_id"], item["_source"], item["_seq_no"], item["_primary_term"])

    async def search(self, query: Query) -> list[Found]:
        """See `Backend`. An answer that lacks a shard is an error, never a shorter list."""
        pauses = self._waits()
        while True:
            answer = await self._ask("POST", f"/{','.join(query.indices)}/_search", search_body(query))
            shards = answer["_shards"]
            if not (_all_busy(shards) and await self._turned_away(pauses)):
                break
        if shards["failed"] or answer["timed_out"]:
            raise StoreUnavailable(
                f"{self._url}: {shards['failed']} of {shards['total']} shards did not answer"
            )
        return [
            Found(
                hit["_index"],
                hit["_id"],
                hit["_source"],
                hit["_seq_no"],
                hit["_primary_term"],
                tuple(hit.get("sort", ())),
            )
            for hit in answer["hits"]["hits"]
        ]

    async def refresh(self, indices: Sequence[str]) -> None:
        """See `Backend`."""
        await self._ask("POST", f"/{','.join(indices)}/_refresh")

    async def shards(self, patterns: Sequence[str]) -> list[Shard]:
        """See `Backend`."""
        return await scanning.shards(self._ask, patterns, self._sleep)

    def scan(self, shard: Shard, after: int, fields: Sequence[str] = ()) -> AsyncIterator[list[Found]]:
        """See `Backend`."""
        return scanning.scan(self._ask, shard, after, fields)

    async def move_aliases(self, aliases: Mapping[str, JsonObject], source: str | None, target: str) -> None:
        """See `Backend`."""
        actions: list[Any] = []
        if source is not None:
            actions += [{"remove": {"index": source, "alias": alias}} for alias in aliases]
        actions += [{"add": {**aliases[alias], "index": target, "alias": alias}} for alias in aliases]
        await self._ask("POST", "/_aliases", {"actions": actions})

    async def drop_index(self, index: str) -> None:
        """See `Backend`."""
        await self._ask("DELETE", f"/{index}")

    async def resolve(self, alias: str) -> str | None:
        """See `Backend`."""
        answer = await self._ask("GET", f"/_alias/{alias}", missing={})
        if len(answer) > 1:
            raise StoreError(f"the alias {alias} names several indices: {', '.join(sorted(answer))}")
        return next(iter(answer), None)

    async def describe(self, index: str) -> JsonObject | None:
        """See `Backend`."""
        answer = await self._ask("GET", f"/{index}", params={"flat_settings": "true"}, missing={})
        description: JsonObject | None = answer.get(index)
        return description

    async def create_index(self, index: str, definition: JsonObject) -> bool:
        """See `Backend`."""
        try:
            await self._patiently("PUT", f"/{index}", definition, {"wait_for_active_shards": "0"})
        except TransportError as error:
            if error.error == "resource_already_exists_exception":
                return False
            raise self._unavailable(error) from error
        return True

    async def add_alias(self, index: str, alias: str, where: Mapping[str, str], *, beside: str) -> bool:
        """See `Backend`."""
        actions = [
            {"remove": {"index": index, "alias": beside, "must_exist": True}},
            {"add": {"index": index, "alias": beside}},
            {"add": {"index": index, "alias": alias, "filter": {"term": dict(where)}}},
        ]
        return bool(await self._ask("POST", "/_aliases", {"actions": actions}, missing={}))

    async def put_template(self, name: str, definition: JsonObject) -> None:
        """See `Backend`."""
        await self._ask("PUT", f"/_index_template/{name}", definition)

    async def template(self, name: str) -> JsonObject | None:
        """See `Backend`."""
        answer = await self._ask("GET", f"/_index_template/{name}", missing={"index_templates": []})
        for found in answer["index_templates"]:
            definition: Any = found["index_template"]
            settings = dict(_flat("index", definition["template"]["settings"]["index"]))
            return {**definition, "template": {**definition["template"], "settings": settings}}
        return None

    async def names(self, pattern: str) -> list[str]:
        """See `Backend`."""
        answer = await self._ask("GET", f"/{pattern}", params={"filter_path": "*.settings.index.uuid"})
        return sorted(answer)

    async def forbid_auto_create(self, patterns: Sequence[str]) -> None:
        """See `Backend`."""
        present = (await self._auto_create_rule()) or "true"
        if present == "false":
            return
        others = ["+*"] if present == "true" else present.split(",")
        ours = [f"-{pattern}" for pattern in patterns]
        rule = ",".join([*ours, *(other for other in others if other not in ours)])
        await self._ask("PUT", "/_cluster/settings", {"persistent": {_PATH: rule}})

    async def auto_create_forbidden(self) -> list[str]:
        """See `Backend`."""
        rule = await self._auto_create_rule()
        if rule == "false":
            return ["*"]
        return [part[1:] for part in rule.split(",") if part.startswith("-")]

    async def _auto_create_rule(self) -> str:
        """The rule in force, as far as it was set: one that is transient goes before one that stays."""
        answer = await self._ask("GET", "/_cluster/settings", params={"flat_settings": "true"})
        return str(answer["transient"].get(_PATH) or answer["persistent"].get(_PATH) or "")

    async def close_for_writing(self, index: str) -> None:
        """See `Backend`."""
        await self._ask("PUT", f"/{index}/_block/write")

    async def change_settings(self, index: str, settings: JsonObject) -> None:
        """See `Backend`."""
        await self._ask("PUT", f"/{index}/_settings", settings)

    async def add_fields(self, index: str, properties: JsonObject) -> None:
        """See `Backend`."""
        await self._ask("PUT", f"/{index}/_mapping", {"properties": properties})

    async def settle(self) -> None:
        """See `Backend`."""
        params = {"wait_for_status": "yellow", "timeout": f"{int(self._timeout)}s"}
        await self._ask("GET", "/_cluster/health", params=params)

    async def version(self) -> str:
        """See `Backend`."""
        told = (await self._ask("GET", "/"))["version"]
        return (
            str(told["number"])
            if told.get("distribution") == "opensearch"
            else f"{told['number']} of another kind"
        )

    @property
    def pressed(self) -> bool:
        """See `Backend`."""
        return self._writer.window.narrowed or self._untrusted > 0

    async def ping(self) -> None:
        """See `Backend`. Does not wait: whoever asks wants to know how it is now."""
        try:
            await self._call("GET", "/")
        except TransportError as error:
            raise self._unavailable(error) from error

    async def close(self) -> None:
        """See `Backend`."""
        if self._signer is not None:
            await self._signer.credentials.close()
        await self._client.close()

    async def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        *,
        missing: Any = None,
    ) -> Any:
        """An answer, or `missing` where the engine says 404; may be asked twice."""
        try:
            return await self._patiently(method, path, body, params)
        except TransportError as error:
            if error.status_code == _NOT_FOUND and missing is not None:
                return missing
            raise self._unavailable(error) from error

    async def _patiently(
        self, method: str, path: str, body: Any = None, params: Mapping[str, str] | None = None
    ) -> Any:
        """A call, repeated while the engine is too busy to begin with it."""
        pauses = self._waits()
        while True:
            try:
                answer = await self._call(method, path, body, params)
            except TransportError as error:
                if error.status_code != _BUSY or not await self._turned_away(pauses):
                    raise
            else:
                self._untrusted = max(0, self._untrusted - 1)
                return answer

    async def _turned_away(self, pauses: Iterator[float]) -> bool:
        """Wait before the next try of what the engine was too busy for; False when patience has ended."""
        self._untrusted = _TRUSTED_AFTER
        return await self._paused(pauses)

    async def _paused(self, pauses: Iterator[float]) -> bool:
        pause = next(pauses, None)
        if pause is None:
            return False
        await self._sleep(pause)
        return True

    def _waits(self) -> Iterator[float]:
        return waits(self._patience, self._jitter)

    async def _call(
        self, method: str, path: str, body: Any = None, params: Mapping[str, str] | None = None
    ) -> Any:
        headers = {"content-type": "application/x-ndjson" if isinstance(body, bytes) else "application/json"}
        if self._signer is not None:
            body = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
            headers = await self._signer.signed(method, path, params or {}, body, headers)
        try:
            return await self._client.transport.perform_request(
                method,
                path,
                params=dict(params or {}),
                body=body,
                headers=headers,
                timeout=self._timeout,  # given here, or the client takes `timeout` out of the parameters
            )
        except (NoAnswer, ConnectionTimeout, OSError) as error:
            raise StoreUnavailable(f"no answer from OpenSearch at {self._url}: {_reason(error)}") from error
        except TransportError as error:
            if self._signer is not None and error.status_code in DENIED:
                self._signer.credentials.forget()
            raise

    def _unavailable(self, error: TransportError) -> StoreUnavailable:
        return self._refused(error.status_code, _reason(error))

    def _refused(self, status: int, reason: str) -> StoreUnavailable:
        text = f"OpenSearch at {self._url} answered {status}: {reason}"
        if is_denial(status, reason):
            return StoreDenied(f"{text}; {remedy(self._auth, status, reason)}")
        return StoreUnavailable(text)


def search_body(query: Query) -> JsonObject:
    """The search request of a query."""
    filters: list[Any] = [
        {"terms": {field: value}} if isinstance(value, list) else {"term": {field: value}}
        for field, value in query.where.items()
    ]
    filters += [{"range": {field: _range(*bounds)}} for field, bounds in query.ranges.items()]
    sort: list[Any] = [
        {field: {"order": order, "missing": "_last", "unmapped_type": "keyword"}}
        for field, order in query.sort
    ]
    body: JsonObject = {
        "size": query.limit,
        "query": {"bool": {"filter": filters}},
        "seq_no_primary_term": True,
        "track_total_hits": False,
        "sort": sort,
    }
    return body | ({"search_after": list(query.after)} if query.after is not None else {})


def _range(start: str | None, end: str | None) -> JsonObject:
    bounds: Iterator[tuple[str, str | None]] = iter((("gte", start), ("lt", end)))
    return {name: value for name, value in bounds if value is not None}


def _flat(path: str, settings: Any) -> Iterator[tuple[str, Any]]:
    """Settings by dotted name; templates answer them nested whatever they are asked."""
    if not isinstance(settings, dict):
        yield path, settings
        return
    for name, value in settings.items():
        yield from _flat(f"{path}.{name}", value)


def _all_busy(shards: Any) -> bool:
    """Whether shards failed, and each because the engine is too busy."""
    failures = [{"error": failure["reason"]} for failure in shards.get("failures", ())]
    return bool(failures) and all(_has_error(failure, *_TOO_BUSY) for failure in failures)


def _has_error(item: Any, *kinds: str) -> bool:
    told = str(item.get("error", {}).get("type"))
    return any(kind in told for kind in kinds)


def _reason(error: Exception) -> str:
    """The engine's own sentence where it gave one, else the kind of error."""
    info = error.info if isinstance(error, TransportError) and len(error.args) > _INFO else None
    told = info.get("error") if isinstance(info, dict) else None
    if isinstance(told, dict) and told.get("reason"):
        return f"{told.get('type')}: {told['reason']}"
    if isinstance(info, dict) and (said := info.get("message") or info.get("Message")):
        return str(said)  # AWS, in front of the engine
    if isinstance(error, NoAnswer) and len(error.args) > _INFO:
        return str(error.args[1])  # the client's text names the same cause twice
    return str(error) or type(error).__name__


def _credentials(settings: StoreSettings) -> tuple[str, str] | None:
    if settings.auth != "basic":
        return None
    if settings.user is None or settings.password is None:
        raise StoreError("the auth mode basic needs a user and a password")
    return settings.user, settings.password


def _signer(settings: StoreSettings) -> "Signer | None":
    if settings.auth != "sigv4":
        return None
    if settings.region is None:
        raise StoreError("the auth mode sigv4 signs for a region: set AWS_REGION")
    from dwh_eventstore.sigv4 import ChainCredentials, Signer  # noqa: PLC0415 - slow to import, seldom needed

    return Signer(settings.url, settings.region, ChainCredentials(settings.timeout_seconds))
