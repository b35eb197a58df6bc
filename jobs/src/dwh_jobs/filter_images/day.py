"""The day a window belongs to, and what of it is covered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dwh_jobs.window import Window


def day_of(window: Window, zone: str) -> Window:
    """From midnight to midnight in the zone, 23 or 25 hours where the clock changes.

    A window that crosses midnight belongs to the day it begins in.
    """
    tz = ZoneInfo(zone)
    date = window.start.astimezone(tz).date()
    midnights = [datetime.combine(date + timedelta(days=days), time.min, tz) for days in (0, 1)]
    return Window(*[midnight.astimezone(UTC) for midnight in midnights])


def coverage(windows: Iterable[Window]) -> tuple[Window, tuple[Window, ...]]:
    """The range from the first to the last of the windows, and the gaps between them."""
    first, *rest = sorted(windows, key=lambda window: (window.start, window.end))
    end, gaps = first.end, []
    for window in rest:
        if window.start > end:
            gaps.append(Window(end, window.start))
        end = max(end, window.end)
    return Window(first.start, end), tuple(gaps)
