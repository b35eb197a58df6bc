"""The log as files: written from the store, and read into one.

A line is a message as SNS hands it to the second journal, an envelope with the event as text in `Message`; a
bare event is read, too. Files are gzipped JSON lines, one folder per partition, named for the sequence
numbers they hold: an export that was interrupted goes on after the last whole file.

An import appends with `create`, so that repeating any of it changes nothing, and folds what it finds stored.
It does not judge an event's time, and does not resolve claim checks.
"""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from dwh_contracts.canonical import JsonObject
from dwh_contracts.cloudevents import is_cloud_event, unwrap
from dwh_contracts.parse import Event, event_from_body
from dwh_contracts.quarantine import QuarantineReason, Refused
from dwh_contracts.reading import decode

from dwh_eventstore.backend import Backend, Found, Shard
from dwh_eventstore.errors import AppendRejected
from dwh_eventstore.log import Appended
from dwh_eventstore.replay.checkpoints import Checkpoints
from dwh_eventstore.replay.verify import Progress
from dwh_eventstore.replay.watermark import CatchUp, Key, Position, Watermark

FILE_EVENTS = 10_000
READABLE = "readable"
_BATCH = 500
_GZIP = b"\x1f\x8b"
_NAMES = re.compile(r"/([^/]+)/([^/]+)\.(\d+)\.\d{12}-(\d{12})\.jsonl\.gz$")


class Bytes(Protocol):
    """An object as it was read."""

    @property
    def body(self) -> bytes:
        """Its content."""
        ...


class Objects(Protocol):
    """Where files are; `dwh_runtime.aws.Objects`, structurally."""

    async def get(self, uri: str) -> Bytes | None:
        """Read an object."""
        ...

    async def put(self, uri: str, body: bytes) -> str:
        """Write an object, whole or not at all."""
        ...

    async def names(self, folder: str) -> list[str]:
        """Addresses below a folder, sorted."""
        ...


class Record(Protocol):
    """`Store.record`."""

    def __call__(
        self, events: Sequence[Event], origin: Sequence[Any] | None = None
    ) -> Awaitable[list[Appended]]:
        """Append and fold."""
        ...


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote, and what an earlier one had."""

    events: int
    files: int
    before: int
    """Events in files that were there."""


@dataclass(slots=True)
class Imported:
    """What became of the lines of an import."""

    outcomes: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    """File, line and reason of each line that is no event of this store."""
    skipped_files: int = 0
    """Read by an import that was interrupted."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """Whence the message came, as its envelope says."""

    topic: str | None
    sns_message_id: str | None
    sqs_message_id: str | None = None


async def export(
    backend: Backend, objects: Objects, folder: str, progress: Progress = lambda *_: None
) -> Exported:
    """Write everything stored up to now that is not yet in the folder.

    Raises:
        StoreUnavailable: what was written stays; call it again.
    """
    reader = CatchUp(backend)
    mark = await reader.watermark()
    positions = _exported(await objects.names(folder), mark)
    total, events, files = mark.count(positions), 0, 0
    for shard in mark.shards:
        part: list[Found] = []
        async for batch in reader.read(_only(positions, shard), Watermark((shard,))):
            part += batch.found
            if len(part) >= FILE_EVENTS:
                await objects.put(_address(folder, shard, part), _packed(part))
                events, files, part = events + len(part), files + 1, []
                progress("export", events, total)
        if part:
            await objects.put(_address(folder, shard, part), _packed(part))
            events, files = events + len(part), files + 1
            progress("export", events, total)
    return Exported(events, files, mark.count({}) - total)


async def import_files(
    backend: Backend,
    record: Record,
    objects: Objects,
    folder: str,
    *,
    environment: str,
    from_start: bool = False,
    progress: Progress = lambda *_: None,
) -> Imported:
    """Append and fold every event of the files below a folder, in the order of their names.

    Goes on after the last file that an interrupted import read, or `from_start`.

    Raises:
        StoreUnavailable: what was read stays read; call it again.
    """
    checkpoints, key = Checkpoints(backend), f"import|{folder}"[-500:]
    last = "" if from_start else str((await checkpoints.load(key)).get("last") or "")
    names = await _files(objects, folder)
    result = Imported(skipped_files=sum(name <= last for name in names))
    for place, name in enumerate(names):
        if name <= last:
            continue
        await _import_file(record, objects, name, environment, result)
        await checkpoints.save(key, {"kind": "import", "last": name})
        progress("import", place + 1, len(names))
    await checkpoints.save(key, {"kind": "import", "last": None})
    return result


async def check_files(
    objects: Objects, folder: str, *, environment: str, progress: Progress = lambda *_: None
) -> Imported:
    """Read what an import would read, and write nothing; `outcomes` counts what it would append or find."""
    result = Imported()

    async def record(events: Sequence[Event], origin: Sequence[Any] | None = None) -> list[Appended]:
        del origin
        result.outcomes[READABLE] += len(events)
        return []

    names = await _files(objects, folder)
    for place, name in enumerate(names):
        await _import_file(record, objects, name, environment, result)
        progress("read", place + 1, len(names))
    return result


async def _files(objects: Objects, folder: str) -> list[str]:
    return [name for name in await objects.names(folder) if ".jsonl" in name or name.endswith(".json")]


async def _import_file(
    record: Record, objects: Objects, name: str, environment: str, result: Imported
) -> None:
    fetched = await objects.get(name)
    if fetched is None:
        return
    try:
        lines = _lines(fetched.body)
    except (EOFError, OSError, zlib.error) as error:
        result.refused.append(f"{name}: not a whole gzip file: {error}")
        return
    batch: list[tuple[Event, _Origin]] = []
    for number, line in enumerate(lines, start=1):
        try:
            batch.append(_parsed(line, environment))
        except Refused as refused:
            result.refused.append(f"{name}:{number}: {refused}")
        if len(batch) == _BATCH:
            await _record(record, batch, name, result)
            batch = []
    if batch:
        await _record(record, batch, name, result)


async def _record(
    record: Record, batch: Sequence[tuple[Event, _Origin]], name: str, result: Imported
) -> None:
    """Together; one by one when the engine cannot hold one of them."""
    events = [event for event, _ in batch]
    try:
        outcomes = await record(events, [origin for _, origin in batch])
    except AppendRejected as error:
        if len(batch) == 1:
            result.refused.append(f"{name}: {error}")
            return
        for each in batch:
            await _record(record, [each], name, result)
        return
    result.outcomes.update(outcome.value for outcome in outcomes)


def _parsed(line: bytes, environment: str) -> tuple[Event, _Origin]:
    value = decode(line)
    origin = _Origin(None, None)
    message = value.get("Message")
    if isinstance(message, str):
        topic, message_id = value.get("TopicArn"), value.get("MessageId")
        origin = _Origin(str(topic) if topic else None, str(message_id) if message_id else None)
        value = decode(message.encode())
    if is_cloud_event(value):
        value = unwrap(value)
    event = event_from_body(value)
    if event.environment != environment:
        raise Refused(QuarantineReason.WRONG_ENVIRONMENT, "environment", f"this is {environment}")
    return event, origin


def _lines(body: bytes) -> Iterator[bytes]:
    text = gzip.decompress(body) if body.startswith(_GZIP) else body
    return (line for line in text.split(b"\n") if line.strip())


def _packed(part: Sequence[Found]) -> bytes:
    lines = b"".join(orjson.dumps(_envelope(found.body)) + b"\n" for found in part)
    return gzip.compress(lines, 6, mtime=0)


def _envelope(stored: JsonObject) -> JsonObject:
    return {
        "Type": "Notification",
        "MessageId": stored.get("sns_message_id"),
        "TopicArn": stored.get("topic"),
        "Timestamp": stored.get("recorded_at"),
        "Message": orjson.dumps(stored["body"]).decode(),
    }


def _address(folder: str, shard: Shard, part: Sequence[Found]) -> str:
    numbers = f"{part[0].seq_no:012d}-{part[-1].seq_no:012d}"
    return f"{folder.rstrip('/')}/{shard.index}/{shard.uuid}.{shard.number}.{numbers}.jsonl.gz"


def _exported(names: Sequence[str], mark: Watermark) -> dict[Key, Position]:
    """How far earlier exports came; files of an index that is no more stay and count for nothing."""
    found: dict[Key, Position] = {}
    uuids = {(shard.index, shard.number): shard.uuid for shard in mark.shards}
    for name in names:
        match = _NAMES.search(name)
        if match is None:
            continue
        index, uuid, number, last = match.groups()
        key = index, int(number)
        if uuids.get(key) == uuid and (key not in found or found[key].seq_no < int(last)):
            found[key] = Position(uuid, int(last))
    return found


def _only(positions: dict[Key, Position], shard: Shard) -> dict[Key, Position]:
    key = shard.index, shard.number
    return {key: positions[key]} if key in positions else {}
