"""Which intervals of the window are there, and their lines.

A line is read as text, so that what cannot be parsed is kept as it came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name everybody uses

from dwh_jobs.artifacts import ArtifactStore
from dwh_jobs.errors import SourceUnavailableError
from dwh_jobs.uris import join
from dwh_jobs.window import Window, interval_path

BITS = 62
"""Intervals per observed number: bits of a long that stay clear of its sign."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals of a window and which of them exist."""

    requested: tuple[datetime, ...]
    found: tuple[datetime, ...]


def find_intervals(store: ArtifactStore, base: str, window: Window, interval_minutes: int) -> Intervals:
    """Look which folders exist; SourceUnavailableError when not one does."""
    requested = tuple(window.intervals(interval_minutes))
    found = tuple(start for start in requested if store.holds(join(base, interval_path(start))))
    if not found:
        raise SourceUnavailableError(f"no readable partition in the requested window below {base}")
    return Intervals(requested, found)


def read_lines(spark: SparkSession, base: str, intervals: Intervals) -> DataFrame:
    """Non-blank lines as (text, source_file, year, month, day, hour, min)."""
    paths = [join(base, interval_path(start)) for start in intervals.found]
    lines = spark.read.option("basePath", base).text(paths)
    text = (
        F.expr("make_valid_utf8(value)")
        if spark.version >= "4"
        else F.expr("decode(cast(value AS binary), 'UTF-8')")
    )
    return lines.where(F.col("value").rlike(r"\S")).select(
        text.alias("text"),
        F.col("_metadata.file_path").alias("source_file"),
        *[F.lpad(F.col(name).cast("string"), width, "0").alias(name) for name, width in PARTITION_WIDTHS],
    )


PARTITION_WIDTHS = (("year", 4), ("month", 2), ("day", 2), ("hour", 2), ("min", 2))
PARTITIONS = tuple(name for name, _ in PARTITION_WIDTHS)


def seen_intervals(intervals: Intervals, interval_minutes: int) -> dict[str, Column]:
    """Aggregates that say which intervals had a row: one bit each, so a day needs five numbers.

    They read the columns source_year … source_min.
    """
    first = round(intervals.requested[0].timestamp()) // 60
    start = F.expr(
        "unix_seconds(make_timestamp(source_year, source_month, source_day, source_hour, source_min, 0))"
    ) / F.lit(60)
    number = (start.cast("bigint") - F.lit(first)) / F.lit(interval_minutes)
    number = number.cast("int")
    words = range((len(intervals.requested) + BITS - 1) // BITS)
    return {
        f"seen_{word}": F.bit_or(
            F.when(number.between(word * BITS, word * BITS + BITS - 1), _bit(number - F.lit(word * BITS)))
        )
        for word in words
    }


def _bit(position: Column) -> Column:
    return F.call_function("shiftleft", F.lit(1).cast("bigint"), position)


def intervals_with_rows(counts: dict[str, int | None]) -> int:
    """How many intervals had at least one row, from the observed words."""
    return sum((counts[name] or 0).bit_count() for name in counts if name.startswith("seen_"))
