"""Times as they travel: RFC 3339, UTC, six digits of fraction when written, 0 to 9 when read."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

BAD_TIME = "bad_time"
NOT_A_TIME = "time_type"

_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{0,9}))?(?:([Zz])|([+-])(\d{2}):?(\d{2}))?",
    re.ASCII,
)
_OURS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


def parse_time(text: str) -> datetime:
    """An aware UTC time; digits beyond microseconds are cut, no offset means UTC.

    Raises:
        ValueError: not an RFC 3339 time.
    """
    if _OURS.fullmatch(text) is not None:
        return datetime.fromisoformat(text)
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"not an RFC 3339 time: {text[:64]!r}")
    *whole, fraction, _, sign, hours, minutes = match.groups()
    zone = UTC
    if sign is not None:
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        zone = timezone(-offset if sign == "-" else offset)
    year, month, day, hour, minute, second = (int(part) for part in whole)
    microsecond = int((fraction or "").ljust(6, "0")[:6])
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, zone).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"not a time this calendar has: {text[:64]!r}") from error


def format_time(moment: datetime) -> str:
    """`2026-11-23T08:01:48.250000Z`.

    Raises:
        ValueError: `moment` is naive.
    """
    if moment.tzinfo is None:
        raise ValueError("a naive time has no place in UTC")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _read(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            return parse_time(value)
        except ValueError as error:
            raise PydanticCustomError(BAD_TIME, "not an RFC 3339 time") from error
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    raise PydanticCustomError(NOT_A_TIME, "a time is a string")


UtcTime = Annotated[
    datetime,
    BeforeValidator(_read),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A pydantic field that reads any RFC 3339 text and writes ours."""
