"""Reading JSON from outside: decoding within limits, versions, and which of several faults comes first."""

import math
import re

from pydantic import JsonValue, ValidationError
from pydantic_core import ErrorDetails, from_json

from dwh_contracts.canonical import JsonObject
from dwh_contracts.names import BAD_NAME
from dwh_contracts.quarantine import ORDER, QuarantineReason, Refused
from dwh_contracts.times import BAD_TIME

MAX_DEPTH = 64
_MAX_NUMBER_BITS = 1024
_LONG = b"0" * 200
"""Below as many digits and without exponent a number is an IEEE double."""
_SHAPE = bytes.maketrans(b"123456789.E,[{-\t\n\r ", b"0000000000e" + b":" * 8)
_EXPONENT = re.compile(rb":0+e")
_REASONS = {
    "missing": QuarantineReason.MISSING_FIELD,
    "enum": QuarantineReason.ENUM_OUT_OF_RANGE,
    "literal_error": QuarantineReason.ENUM_OUT_OF_RANGE,
    BAD_NAME: QuarantineReason.BAD_NAME,
    BAD_TIME: QuarantineReason.BAD_TIME,
}


def decode(raw: bytes) -> JsonObject:
    """A JSON object of finite numbers and at most 64 levels.

    Raises:
        Refused: not-json, not-an-object, too-deep.
    """
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise Refused(QuarantineReason.TOO_DEEP, None, f"more than {MAX_DEPTH} levels") from error
        raise Refused(QuarantineReason.NOT_JSON, None, str(error)[:200]) from error
    if _maybe_huge(raw) and not _finite(value):
        raise Refused(QuarantineReason.NOT_JSON, None, "a number beyond IEEE doubles")
    if not isinstance(value, dict):
        raise Refused(QuarantineReason.NOT_AN_OBJECT, None, f"a {type(value).__name__}")
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise Refused(QuarantineReason.TOO_DEEP, None, f"more than {MAX_DEPTH} levels")
    return value


def _maybe_huge(raw: bytes) -> bool:
    """False for nearly every message, without a walk through it; the digits of hashes do not count."""
    shape = b":" + raw.translate(_SHAPE)
    return _LONG in shape or _EXPONENT.search(shape) is not None


def _children(values: list[JsonValue]) -> list[JsonValue]:
    below: list[JsonValue] = []
    for value in values:
        if isinstance(value, dict):
            below.extend(value.values())
        elif isinstance(value, list):
            below.extend(value)
    return below


def _deeper_than(value: JsonValue, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = _children(level)
    return any(isinstance(value, dict | list) for value in level)


def _finite(value: JsonValue) -> bool:
    level = [value]
    while level:
        for item in level:
            if isinstance(item, float) and not math.isfinite(item):
                return False
            if isinstance(item, int) and item.bit_length() > _MAX_NUMBER_BITS:
                return False
        level = _children(level)
    return True


def check_version(version: JsonValue) -> None:
    """Refuse every major version but 1; a higher minor is read."""
    if not isinstance(version, str):
        raise Refused(QuarantineReason.WRONG_TYPE, "schema_version", "a version is a string")
    if re.fullmatch(r"1\.[0-9]{1,9}", version, re.ASCII) is None:
        raise Refused(QuarantineReason.UNSUPPORTED_VERSION, "schema_version", "only 1.x is read")


def first_fault(error: ValidationError) -> Refused:
    """The fault that comes first in the order of `QuarantineReason`."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    first = min(faults, key=lambda fault: ORDER[_reason(fault)])
    return Refused(_reason(first), _path(first["loc"]), first["msg"])


def _reason(fault: ErrorDetails) -> QuarantineReason:
    return _REASONS.get(fault["type"], QuarantineReason.WRONG_TYPE)


def _path(location: tuple[int | str, ...]) -> str:
    """Dotted; what pydantic adds for the member of a union is left out."""
    return ".".join(str(part) for part in location if part not in {"int", "float", "str"})
