"""What is counted while the rows are written, and what the counts must satisfy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 - the name everybody uses

from dwh_jobs.manifest import DROPPED
from dwh_jobs.metrics import must_equal
from dwh_jobs.transform_images.config import OTHER
from dwh_jobs.transform_images.rows import EXTRACT_REASONS, TRANSFORM_REASONS
from dwh_jobs.transform_images.source import Intervals, intervals_with_rows, seen_intervals

CATEGORIES = ("nautilus", "savedproject")
REASONS = (*EXTRACT_REASONS, *TRANSFORM_REASONS)


@dataclass(frozen=True, slots=True)
class TypeCounts:
    """Rows of one data type that reached the transformation; images are rows that name one."""

    name: str
    records: int
    dropped: int
    images: int


@dataclass(frozen=True, slots=True)
class RunCounts:
    """All counts of a run, true only together."""

    read: int
    written: int
    reasons: Mapping[str, int]
    by_category: Mapping[str, int]
    types: tuple[TypeCounts, ...]
    intervals_with_rows: int
    min_event_micros: int | None
    max_event_micros: int | None

    @property
    def dropped(self) -> int:
        """Rows dropped anywhere."""
        return sum(self.reasons.values())

    @property
    def extract_dropped(self) -> int:
        """Rows dropped before the transformation."""
        return sum(self.reasons[reason] for reason in EXTRACT_REASONS)


def aggregates(data_types: tuple[str, ...], intervals: Intervals, interval_minutes: int) -> dict[str, Column]:
    """The aggregates to observe, over the columns that `rows.lay_out` gives."""
    kept, reason, data_type = F.col("reason").isNull(), F.col("reason"), F.col("data_type")
    reached = kept | reason.startswith("transform_")
    number = F.lit(len(data_types))
    for position in reversed(range(len(data_types))):
        number = F.when(data_type == data_types[position], position).otherwise(number)
    number = F.when(reached, number)
    named: dict[str, Column] = {"read": F.count(F.lit(1)), "written": F.count_if(kept)}
    named |= {f"reason_{name}": F.count_if(reason == name) for name in REASONS}
    named |= {f"category_{name}": F.count_if(F.col("category") == name) for name in CATEGORIES}
    for position in range(len(data_types) + 1):
        of_type = number == position
        named[f"type_{position}_records"] = F.count_if(of_type & kept)
        named[f"type_{position}_dropped"] = F.count_if(of_type & ~kept)
        named[f"type_{position}_images"] = F.count_if(of_type & kept & F.col("has_image"))
    named["min_event_micros"] = F.min(F.unix_micros("event_time"))
    named["max_event_micros"] = F.max(F.unix_micros("event_time"))
    return named | seen_intervals(intervals, interval_minutes)


def run_counts(observed: Mapping[str, int | None], data_types: tuple[str, ...]) -> RunCounts:
    """The observed numbers by their meaning."""

    def number(name: str) -> int:
        return observed.get(name) or 0

    reasons = {name: number(f"reason_{name}") for name in REASONS}
    types = [
        TypeCounts(
            name,
            number(f"type_{position}_records"),
            number(f"type_{position}_dropped"),
            number(f"type_{position}_images"),
        )
        for position, name in enumerate((*data_types, OTHER))
    ]
    return RunCounts(
        read=number("read"),
        written=number("written"),
        reasons=reasons,
        by_category={name: number(f"category_{name}") for name in CATEGORIES}
        | {DROPPED: sum(reasons.values())},
        types=tuple(kind for kind in types if kind.records or kind.dropped),
        intervals_with_rows=intervals_with_rows(dict(observed)),
        min_event_micros=observed.get("min_event_micros"),
        max_event_micros=observed.get("max_event_micros"),
    )


def check(counts: RunCounts) -> None:
    """Fail the run when its counts contradict each other."""
    transform_input = counts.read - counts.extract_dropped
    kept = sum(counts.by_category[name] for name in CATEGORIES)
    must_equal("rows read and rows kept or dropped", counts.read, counts.written + counts.dropped)
    must_equal(
        "rows by data type and transform input",
        sum(t.records + t.dropped for t in counts.types),
        transform_input,
    )
    must_equal("rows by category and rows written", kept, counts.written)
