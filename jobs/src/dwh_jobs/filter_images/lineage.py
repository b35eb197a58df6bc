"""Which runs the set of a day was merged from."""

from __future__ import annotations

from dataclasses import dataclass

from dwh_contracts.canonical import JsonObject
from dwh_contracts.times import format_time, parse_time

from dwh_jobs.errors import InputMismatchError
from dwh_jobs.manifest import ReadManifest
from dwh_jobs.window import Window


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one transform run brought in: the rows of its manifest, before duplicates were removed."""

    run_id: str
    transform_run_id: str
    window: Window
    records: int

    def as_json(self) -> JsonObject:
        """The shape of `lineage[]`."""
        return {
            "run_id": self.run_id,
            "transform_run_id": self.transform_run_id,
            "time_range": range_json(self.window),
            "records_contributed": self.records,
        }


def lineage_of(manifest: ReadManifest | None) -> tuple[Contribution, ...]:
    """The contributions that the manifest of a merged set lists."""
    if manifest is None:
        return ()
    listed = manifest.body.get("lineage")
    if not isinstance(listed, list):
        raise InputMismatchError(f"{manifest.ref.uri} has no lineage")
    return tuple(_contribution(dict(item)) for item in listed if isinstance(item, dict))


def with_run(lineage: tuple[Contribution, ...], added: Contribution) -> tuple[Contribution, ...]:
    """The lineage after one more merge, by time; a run merged again stands in it once."""
    others = [item for item in lineage if item.transform_run_id != added.transform_run_id]
    return tuple(sorted([*others, added], key=lambda item: (item.window.start, item.transform_run_id)))


def range_json(window: Window) -> JsonObject:
    """A span of time as events and manifests show it."""
    return {"start": format_time(window.start), "end": format_time(window.end)}


def _contribution(item: JsonObject) -> Contribution:
    time_range = item["time_range"]
    if not isinstance(time_range, dict):
        raise InputMismatchError("a lineage entry has no time_range")
    return Contribution(
        run_id=str(item["run_id"]),
        transform_run_id=str(item["transform_run_id"]),
        window=Window(parse_time(str(time_range["start"])), parse_time(str(time_range["end"]))),
        records=int(str(item["records_contributed"])),
    )
