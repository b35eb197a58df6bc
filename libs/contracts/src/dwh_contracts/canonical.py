"""Canonical JSON and the content hash (contracts.md 2).

Two events have equal hashes exactly when they say the same, whatever their key order, white space or id.
"""

import hashlib
import json

from pydantic import JsonValue

__all__ = ["JsonObject", "JsonValue", "canonical_json", "content_hash"]

JsonObject = dict[str, JsonValue]

_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"), check_circular=False
)
"""Made once; what comes from JSON has no circles."""


def canonical_json(value: JsonValue) -> bytes:
    """Keys sorted by code point, no white space, UTF-8 unescaped, floats by shortest round trip.

    Raises:
        ValueError: NaN or Infinity.
    """
    return _ENCODER.encode(value).encode()


def content_hash(event: JsonObject) -> str:
    """SHA-256, 64 hex digits, over the event without its `event_id`."""
    content = {key: value for key, value in event.items() if key != "event_id"}
    return hashlib.sha256(canonical_json(content)).hexdigest()
