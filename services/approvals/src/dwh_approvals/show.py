"""Figures and times as people read them; template filters without markup."""

from datetime import datetime
from typing import Any

from dwh_contracts.times import parse_time

_NOTHING = "-"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def moment(text: Any) -> str:
    """`2026-11-23 08:01:48 UTC`."""
    try:
        return parse_time(str(text)).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return _NOTHING if text is None else str(text)


def left(text: Any, now: datetime) -> str:
    """How long until then, by its two largest units."""
    try:
        seconds = int((parse_time(str(text)) - now).total_seconds())
    except ValueError:
        return _NOTHING
    if seconds <= 0:
        return "over"
    days, hours, minutes = seconds // _DAY, seconds % _DAY // _HOUR, seconds % _HOUR // _MINUTE
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % _MINUTE} s"


def number(value: Any) -> str:
    """Grouped by thousands; a rate keeps four places."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _NOTHING if value is None else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}".rstrip("0").rstrip(".")


def share(part: Any, whole: Any) -> str:
    """`11.5 %`."""
    if not isinstance(part, int | float) or not isinstance(whole, int | float) or whole <= 0:
        return _NOTHING
    return f"{100 * part / whole:.1f} %"
