"""Bodies and answers of bulk requests."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from dwh_eventstore.access import is_denial
from dwh_eventstore.backend import Create, Fate, Write, Written

MOST_WRITES = 500
MOST_BYTES = 4 * 1024 * 1024

_FATES = {
    200: Fate.WRITTEN,
    201: Fate.WRITTEN,
    400: Fate.REFUSED,
    404: Fate.MISSING_INDEX,
    409: Fate.CONFLICT,
    413: Fate.REFUSED,
}
_WRITE_BLOCK = "FORBIDDEN/8"
_FORBIDDEN = 403


def lines(write: Write) -> bytes:
    """Action and document of one write."""
    action: dict[str, Any] = {"_index": write.index, "_id": write.id}
    if isinstance(write, Create):
        head = {"create": action}
    else:
        head = {"index": action | {"if_seq_no": write.seq_no, "if_primary_term": write.primary_term}}
    return orjson.dumps(head) + b"\n" + orjson.dumps(write.body) + b"\n"


def bulk_parts(
    encoded: Sequence[bytes], places: Sequence[int], most: int = MOST_WRITES
) -> Iterator[list[int]]:
    """The places cut into requests of at most so many writes (each as `lines`) or about 4 MB."""
    part: list[int] = []
    size = 0
    for place in places:
        length = len(encoded[place])
        if part and (len(part) == most or size + length > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(place)
        size += length
    if part:
        yield part


def written(item: Any) -> Written:
    """The fate of one item of a bulk answer."""
    [result] = item.values()
    if "error" not in result and (fate := _FATES.get(result["status"])) is not None:
        return Written(fate, "", result.get("_seq_no", -1), result.get("_primary_term", -1))
    error = result.get("error") or {}
    detail = f"{error.get('type')}: {error.get('reason')}" if error else ""
    cause = error.get("caused_by") or {}
    if cause:
        detail += f" ({cause.get('reason')})"
    return Written(
        _fate(result["status"], detail),
        detail[:500],
        result.get("_seq_no", -1),
        result.get("_primary_term", -1),
    )


def denied_by(items: Sequence[Any]) -> str | None:
    """Why the engine does not let us write one of the items, whatever is in it; None if it does.

    With security, a bulk that holds indices of different rights is answered item by item.
    """
    for item in items:
        fate = written(item)
        [result] = item.values()
        if is_denial(result["status"], fate.detail):
            return fate.detail
    return None


def _fate(status: int, detail: str) -> Fate:
    if status == _FORBIDDEN:
        return Fate.BLOCKED if _WRITE_BLOCK in detail else Fate.BUSY
    return _FATES.get(status, Fate.BUSY)
