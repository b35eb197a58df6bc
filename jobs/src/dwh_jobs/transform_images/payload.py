"""The payload of `transform_images`: its own figures in the event."""

from __future__ import annotations

from datetime import timedelta

from dwh_contracts.arrays import to_array
from dwh_contracts.canonical import JsonObject
from dwh_contracts.times import format_time
from pydantic import JsonValue

from dwh_jobs.manifest import DROPPED, Category, Staged
from dwh_jobs.transform_images.counts import RunCounts
from dwh_jobs.transform_images.rows import CORRUPT, NULL_DATA, NULL_EVENT_TIME, UNDECRYPTABLE
from dwh_jobs.transform_images.source import Intervals
from dwh_jobs.uris import parent
from dwh_jobs.window import EPOCH

MICROS_PER_HOUR = 3_600_000_000


def payload_of(counts: RunCounts, intervals: Intervals, staged: Staged, write_seconds: float) -> JsonObject:
    """extract, transform, load and dropped_records."""
    transform_input = counts.read - counts.extract_dropped
    return {
        "extract": {
            "partitions_requested": len(intervals.requested),
            "partitions_found": len(intervals.found),
            "partitions_empty": len(intervals.found) - counts.intervals_with_rows,
            "corrupt_records": counts.reasons[CORRUPT],
            "null_eventtime": counts.reasons[NULL_EVENT_TIME],
            "null_data": counts.reasons[NULL_DATA],
            "records_after_filter": transform_input,
            **_event_times(counts),
        },
        "transform": {
            "records_input": transform_input,
            "records_output": counts.written,
            "decryption_failures": counts.reasons[UNDECRYPTABLE],
            "data_types": _data_types(counts),
        },
        "load": _load(counts, staged, write_seconds),
        "dropped_records": _dropped(staged),
    }


def _event_times(counts: RunCounts) -> JsonObject:
    low, high = counts.min_event_micros, counts.max_event_micros
    if low is None or high is None:
        return {"min_event_time": None, "max_event_time": None, "event_time_range_hours": 0.0}
    return {
        "min_event_time": format_time(EPOCH + timedelta(microseconds=low)),
        "max_event_time": format_time(EPOCH + timedelta(microseconds=high)),
        "event_time_range_hours": (high - low) / MICROS_PER_HOUR,
    }


def _data_types(counts: RunCounts) -> list[JsonValue]:
    by_name: JsonObject = {
        kind.name: {"records": kind.records, "dropped": kind.dropped, "images": kind.images}
        for kind in counts.types
    }
    return list(to_array(by_name, "name"))


def _load(counts: RunCounts, staged: Staged, write_seconds: float) -> JsonObject:
    kept_files = [file for category in staged.kept for file in category.files]
    return {
        "records_input": counts.written,
        "partitions_written": len({parent(file.uri) for file in kept_files}),
        "files_written": len(kept_files),
        "serialization_duration_seconds": round(write_seconds, 6),
        "bytes_by_category": [
            {"category": category.name, "bytes": category.bytes} for category in staged.categories
        ],
        "output_summary": [_summary(category) for category in staged.categories],
    }


def _summary(category: Category) -> JsonObject:
    return {
        "category": category.name,
        "file_count": len(category.files),
        "bytes": category.bytes,
        "records": category.records,
        "base_path": category.path,
    }


def _dropped(staged: Staged) -> JsonObject:
    dropped = [category for category in staged.categories if category.name == DROPPED]
    return {
        "records_written": sum(category.records for category in dropped),
        "files_written": sum(len(category.files) for category in dropped),
        "bytes_written": sum(category.bytes for category in dropped),
    }
