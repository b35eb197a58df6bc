"""`filter_images`: merge a run into the day's set; the last version of an image wins.

Recoverable: the set is written to the run's own folder, and one conditional put makes it the day's. When
another run was faster, the merge is done again on what that run published.
"""

from __future__ import annotations

from dwh_contracts.canonical import JsonObject
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name everybody uses

from dwh_jobs.errors import BaseMovedError
from dwh_jobs.factory import job
from dwh_jobs.filter_images.base import Base, data_files, data_records, read_base, read_input
from dwh_jobs.filter_images.config import FilterImagesConfig
from dwh_jobs.filter_images.day import coverage, day_of
from dwh_jobs.filter_images.lineage import Contribution, lineage_of, range_json, with_run
from dwh_jobs.filter_images.merge import COLUMNS, INPUT_TYPE, ROW_TYPE, ranked, rows_of_run
from dwh_jobs.job import AbstractJob
from dwh_jobs.manifest import Category, ReadManifest, Staged
from dwh_jobs.metrics import must_equal
from dwh_jobs.observation import ObservedCounts
from dwh_jobs.pointer import Pointer, follow_latest, pointer_body, window_pointer
from dwh_jobs.quality import QualityFacts
from dwh_jobs.uris import as_uri, join
from dwh_jobs.window import Window

CATEGORY = "images"
FORMAT = "parquet"


@job("filter_images")
class FilterImages(AbstractJob[FilterImagesConfig]):
    """Input: the manifest of a transform run. Output: the day's set as parquet, with its lineage."""

    config_model = FilterImagesConfig
    _input: ReadManifest
    _base: Base
    _day: Window
    _lineage: tuple[Contribution, ...]
    _counts: dict[str, int]
    _merges = 0

    @property
    def source_base_path(self) -> str:
        """The folder of the run that is merged, else the dataset its window is published in."""
        named = self.context.transform_output_path
        return as_uri(named) if named else self.config.extractor_config.path

    @property
    def sink_base_path(self) -> str:
        """The dataset of days."""
        return self.config.loader_config.path

    def extract(self) -> DataFrame:
        """The rows of the run, read from exactly the files of its manifest."""
        named, dataset = self.context.transform_output_path, self.config.extractor_config.path
        self._input = read_input(named, dataset, self.context.window)
        self._day = day_of(self._input.window, self.config.timezone)
        self._base = read_base(self.store, self.sink_base_path, self._day)
        added = Contribution(
            self.context.job_run_id, self._input.job_run_id, self._input.window, data_records(self._input)
        )
        self._lineage = with_run(lineage_of(self._base.manifest), added)
        files = data_files(self._input)
        reader = self.spark.read.schema(INPUT_TYPE)
        rows = reader.json(files) if files else self.spark.createDataFrame([], INPUT_TYPE)
        return rows_of_run(rows, self._input.job_run_id)

    def transform(self, frame: DataFrame) -> DataFrame:
        """All rows of base and run, each with its place among those of its key."""
        files = data_files(self._base.manifest) if self._base.manifest else []
        reader = self.spark.read.schema(ROW_TYPE)
        base = reader.parquet(*files) if files else self.spark.createDataFrame([], ROW_TYPE)
        return ranked(base, frame, self._input.job_run_id)

    def stage(self, frame: DataFrame) -> Staged:
        """Write the winners; the counts come from the same pass, after its only shuffle."""
        self._merges += 1
        folder = self.run_folder("" if self._merges == 1 else f".m{self._merges}")
        path, added = join(folder, f"category={CATEGORY}"), F.col("source_run_id") == self._input.job_run_id
        observed = ObservedCounts(
            {
                "before": F.count(F.lit(1)),
                "after": F.count_if(F.col("place") == 1),
                "added": F.count_if(added),
            }
        )
        winners = observed.attach(frame).where("place = 1").select(*COLUMNS)
        winners.coalesce(self.config.loader_config.files).write.option(
            "mapreduce.fileoutputcommitter.marksuccessfuljobs", "false"
        ).parquet(path)
        self._counts = {name: value or 0 for name, value in observed.read().items()}
        must_equal("rows read and rows of the manifest", self._counts["added"], data_records(self._input))
        category = Category(CATEGORY, path, FORMAT, self._counts["after"], tuple(self.store.files(path)))
        staged = Staged(folder, self._day, (category,), self._described())
        self._measure(staged)
        return staged

    def facts(self) -> QualityFacts:
        """Duplicates are no drops, so nothing is dropped here."""
        _, gaps = coverage(item.window for item in self._lineage)
        return QualityFacts(
            records_read=self._counts["before"],
            records_dropped=0,
            records_written=self._counts["after"],
            window_end=self._input.window.end,
            gap_minutes=sum((gap.end - gap.start).total_seconds() / 60 for gap in gaps),
        )

    def publish_data(self, pointer: Pointer) -> None:
        """Point the day to the new set, if it still points to the base it was merged on."""
        uri = window_pointer(self.sink_base_path, self._day)
        if not self.store.replace(uri, pointer_body(pointer), self._base.version):
            raise BaseMovedError(f"{uri} was moved by another run")
        follow_latest(self.store, self.sink_base_path, uri)

    def _described(self) -> JsonObject:
        """The parts that manifest and event share."""
        covered, gaps = coverage(item.window for item in self._lineage)
        before, after = self._counts["before"], self._counts["after"]
        return {
            "coverage": {
                "day": range_json(self._day),
                "cumulative_range": range_json(covered),
                "added_range": range_json(self._input.window),
                "gaps": [range_json(gap) for gap in gaps],
            },
            "deduplication": {"records_before": before, "duplicates_removed": before - after},
            "lineage": [item.as_json() for item in self._lineage],
        }

    def _measure(self, staged: Staged) -> None:
        metrics, context, base = self.metrics, self.context, self._base.manifest
        metrics.records_read, metrics.records_written = self._counts["before"], self._counts["after"]
        metrics.bytes_written = sum(category.bytes for category in staged.kept)
        metrics.payload = {
            "context": {
                "environment": context.environment,
                "timezone": self.config.timezone,
                "merges": self._merges,
            },
            "triggered_by": {
                "job_name": context.triggered_by_job,
                "job_run_id": context.triggered_by_run_id,
                "trigger_id": context.causation_id,
            },
            "input": {
                "manifest": self._input.ref.as_json(),
                "transform_run_id": self._input.job_run_id,
                "records": data_records(self._input),
                "base_manifest": base.ref.as_json() if base else None,
                "base_records": self._counts["before"] - self._counts["added"],
            },
            "output": {
                "base_path": staged.base_path,
                "records": self._counts["after"],
                "file_count": sum(len(category.files) for category in staged.kept),
                "bytes": metrics.bytes_written,
            },
            **staged.extra,
        }
