"""The window of time a run covers: start inclusive, end exclusive, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dwh_jobs.errors import BadArgumentsError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time; never empty."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise BadArgumentsError(
                f"the window is empty: {self.start.isoformat()} to {self.end.isoformat()}"
            )

    def floored(self, interval_minutes: int) -> Window:
        """Both ends moved back to the interval they lie in."""
        return Window(floor(self.start, interval_minutes), floor(self.end, interval_minutes))

    def intervals(self, interval_minutes: int) -> list[datetime]:
        """The start of each interval inside a floored window."""
        length = timedelta(minutes=interval_minutes)
        return [self.start + length * number for number in range((self.end - self.start) // length)]

    def contains(self, other: Window) -> bool:
        """Whether the other window lies inside this one."""
        return self.start <= other.start and other.end <= self.end


def floor(moment: datetime, interval_minutes: int) -> datetime:
    """The start of the interval that holds `moment`, counted from the epoch."""
    length = timedelta(minutes=interval_minutes)
    return EPOCH + (moment - EPOCH) // length * length


def interval_path(start: datetime) -> str:
    """The folder of one interval below the base path."""
    return start.strftime("year=%Y/month=%m/day=%d/hour=%H/min=%M")


def compact(moment: datetime) -> str:
    """A moment as part of a file name."""
    return moment.strftime("%Y%m%dT%H%M%SZ")
