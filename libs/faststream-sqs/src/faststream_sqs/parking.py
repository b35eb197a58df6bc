"""Dead letters that say why they are dead.

A parked message is the original body and attributes plus one attribute `parking`, a JSON object. It
replaces our packed `headers` attribute and contains it, so that ten attributes stay ten; redrive
puts everything back. Where all that has no room beside the body, the details are few, or none.
"""

import hashlib
import json
import traceback
from collections.abc import Mapping
from typing import Any

from faststream_sqs.consume.delivery import Delivery
from faststream_sqs.produce.sizing import MAX_ATTRIBUTES, size_of
from faststream_sqs.schemas import MAX_QUEUE_BYTES
from faststream_sqs.transport.protocol import Attribute, OutgoingMessage

PARKING_ATTRIBUTE = "parking"
HEADERS_ATTRIBUTE = "headers"
MOVED = "attributes"
"""Key of the attributes for which there was no room beside ours."""

MESSAGE_CHARACTERS = 1_000
MOMENT_DIGITS = 14
BYTES = 256
OURS = {"reason", "attempts", "source", "parked_at"}
"""Keys that tell our details from an attribute of the same name."""

FEW = (*OURS, "exception_type", "message_id")
FEW_CHARACTERS = 100
"""What a body leaves room for that is almost as large as a queue takes."""


def parked_copy(delivery: Delivery, *, reason: str, now: float, fifo: bool) -> OutgoingMessage:
    """The message to send to the parking queue, with as many details as there is room for beside its body."""
    details = _details(delivery, reason, now)
    few = {name: details[name] for name in FEW} | {"reason": details["reason"][:FEW_CHARACTERS]}
    for told in (details, few):
        copy = _copy(delivery, told, fifo=fifo)
        if size_of(copy) <= MAX_QUEUE_BYTES:
            return copy
    return _addressed(delivery, restored(delivery.raw.attributes), fifo=fifo)


def _copy(delivery: Delivery, details: dict[str, Any], *, fifo: bool) -> OutgoingMessage:
    kept = restored(delivery.raw.attributes)
    headers = kept.get(HEADERS_ATTRIBUTE)
    if headers is not None and headers.data_type == "String":
        details[HEADERS_ATTRIBUTE] = kept.pop(HEADERS_ATTRIBUTE).text
    moved = list(kept)[MAX_ATTRIBUTES - 1 :]
    if moved:
        details[MOVED] = {name: _plain(kept.pop(name)) for name in moved}
    text = json.dumps(details, separators=(",", ":"))
    return _addressed(delivery, {**kept, PARKING_ATTRIBUTE: Attribute(text)}, fifo=fifo)


def _addressed(delivery: Delivery, attributes: Mapping[str, Attribute], *, fifo: bool) -> OutgoingMessage:
    raw = delivery.raw
    return OutgoingMessage(
        body=raw.body,
        attributes=attributes,
        group_id=raw.system.get("MessageGroupId", raw.message_id) if fifo else None,
        dedup_id=raw.message_id if fifo else None,
    )


def parking_details(attributes: Mapping[str, Attribute]) -> Mapping[str, Any]:
    """Why a message was parked; empty when it was not, or not by this package."""
    attribute = attributes.get(PARKING_ATTRIBUTE)
    if attribute is None:
        return {}
    try:
        details = json.loads(attribute.text)
    except (ValueError, RecursionError):
        return {}
    return details if _is_ours(details, len(attributes) - 1) else {}


def restored(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """The attributes of a message before it was parked; those of one that was not stay as they are."""
    details = parking_details(attributes)
    if not details:
        return dict(attributes)
    original = {name: value for name, value in attributes.items() if name != PARKING_ATTRIBUTE}
    if HEADERS_ATTRIBUTE in details:
        original[HEADERS_ATTRIBUTE] = Attribute(details[HEADERS_ATTRIBUTE])
    for name, moved in details.get(MOVED, {}).items():
        binary = moved["type"].startswith("Binary")
        original[name] = Attribute(
            moved["value"].encode("latin-1") if binary else moved["value"], moved["type"]
        )
    return original


def _is_ours(details: Any, others: int) -> bool:
    """Whether we wrote this, as far as `restored` and readers need: whoever can send may write anything."""
    if not isinstance(details, dict) or not details.keys() >= OURS:
        return False
    moment, headers, moved = details["parked_at"], details.get(HEADERS_ATTRIBUTE, ""), details.get(MOVED, {})
    return (
        isinstance(moment, str)
        and moment.isdecimal()
        and len(moment) <= MOMENT_DIGITS
        and isinstance(headers, str)
        and isinstance(moved, dict)
        and all(_is_attribute(attribute) for attribute in moved.values())
        and others + len(moved) + (HEADERS_ATTRIBUTE in details) <= MAX_ATTRIBUTES
    )


def _is_attribute(moved: Any) -> bool:
    if not isinstance(moved, dict):
        return False
    kind, value = moved.get("type"), moved.get("value")
    if not isinstance(kind, str) or not isinstance(value, str):
        return False
    return not kind.startswith("Binary") or all(ord(character) < BYTES for character in value)


def _details(delivery: Delivery, reason: str, now: float) -> dict[str, Any]:
    raw, failure = delivery.raw, delivery.failure
    return {
        "reason": reason[:MESSAGE_CHARACTERS]
        or ("failed too often" if failure is None else "the handler failed"),
        "exception_type": type(failure).__qualname__ if failure is not None else None,
        "message": str(failure)[:MESSAGE_CHARACTERS] if failure is not None else None,
        "fingerprint": _fingerprint(failure) if failure is not None else None,
        "attempts": delivery.attempts,
        "first_seen": raw.system.get("ApproximateFirstReceiveTimestamp"),
        "parked_at": str(int(now * 1000)),
        "source": delivery.queue,
        "message_id": raw.message_id,
    }


def _fingerprint(failure: BaseException) -> str:
    """Equal for failures of one type raised at one place, whatever their text."""
    frames = traceback.extract_tb(failure.__traceback__)[-1:]
    place = f"{frames[0].filename.rsplit('/', 1)[-1]}:{frames[0].name}" if frames else ""
    text = f"{type(failure).__module__}.{type(failure).__qualname__}@{place}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(attribute: Attribute) -> Mapping[str, str]:
    return {"type": attribute.data_type, "value": attribute.text}
