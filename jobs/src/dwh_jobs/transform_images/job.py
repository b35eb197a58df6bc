"""`transform_images`: read references of saved projects, decrypt them, hand them on.

One pass: the write is the only Spark action, and every count comes out of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name everybody uses

from dwh_jobs.context import ExecutionContext
from dwh_jobs.factory import job
from dwh_jobs.job import AbstractJob
from dwh_jobs.manifest import Category, Staged
from dwh_jobs.observation import ObservedCounts
from dwh_jobs.quality import QualityFacts
from dwh_jobs.transform_images import counts as counting
from dwh_jobs.transform_images.config import TransformImagesConfig
from dwh_jobs.transform_images.counts import RunCounts
from dwh_jobs.transform_images.decryption import decrypted
from dwh_jobs.transform_images.payload import payload_of
from dwh_jobs.transform_images.rows import judge_extract, judge_transform, lay_out, parse
from dwh_jobs.transform_images.source import PARTITIONS, Intervals, find_intervals, read_lines
from dwh_jobs.uris import join
from dwh_jobs.window import EPOCH, Window

FORMAT = "jsonl"


@job("transform_images")
class TransformImages(AbstractJob[TransformImagesConfig]):
    """Input: JSON lines per interval. Output: JSON lines per category and interval, run-scoped."""

    config_model = TransformImagesConfig
    _intervals: Intervals
    _counts: RunCounts

    @classmethod
    def window_of(cls, config: TransformImagesConfig, context: ExecutionContext) -> Window:
        """The window in whole input intervals."""
        return context.window.floored(config.extractor_config.partition_interval_minutes)

    @property
    def source_base_path(self) -> str:
        """The folder of the input."""
        return self.config.extractor_config.path

    @property
    def sink_base_path(self) -> str:
        """The dataset of the output."""
        return self.config.loader_config.path

    def extract(self) -> DataFrame:
        """Lines, parsed and judged by the extract rules."""
        minutes = self.config.extractor_config.partition_interval_minutes
        self._intervals = find_intervals(self.store, self.source_base_path, self.context.window, minutes)
        return judge_extract(parse(read_lines(self.spark, self.source_base_path, self._intervals)))

    def transform(self, frame: DataFrame) -> DataFrame:
        """Decrypted rows, judged by the transform rules, laid out as lines."""
        goes_on = F.col("extract_reason").isNull()
        fields = [
            F.when(goes_on, F.col(f"row.data.{name}")) for name in ("image_view", "image_id", "image_data")
        ]
        reference = decrypted(self.config.decryptor, self.config.udf, *fields)
        return lay_out(
            judge_transform(frame, reference), self.config.loader_config.partition_interval_minutes
        )

    def stage(self, frame: DataFrame) -> Staged:
        """Write every category in one action and take the counts from it."""
        folder = self.run_folder()
        minutes = self.config.extractor_config.partition_interval_minutes
        aggregates = counting.aggregates(self.config.data_types, self._intervals, minutes)
        observed = ObservedCounts(aggregates)
        begin = self.clock.monotonic()
        (
            observed.attach(frame)
            .select("category", *PARTITIONS, "value")
            .write.partitionBy("category", *PARTITIONS)
            .option("maxRecordsPerFile", self.config.loader_config.max_records_per_file)
            .option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
            .text(folder)
        )
        seconds = self.clock.monotonic() - begin
        self._counts = counting.run_counts(observed.read(), self.config.data_types)
        staged = Staged(folder, self.context.window, self._categories(folder))
        self._measure(staged, seconds)
        return staged

    def facts(self) -> QualityFacts:
        """Facts for the checks, from the observed counts."""
        counts, newest = self._counts, self._counts.max_event_micros
        return QualityFacts(
            records_read=counts.read,
            records_dropped=counts.dropped,
            records_written=counts.written,
            window_end=self.context.window.end,
            max_event_time=None if newest is None else moment(newest),
            dropped_by_type={kind.name: (kind.records + kind.dropped, kind.dropped) for kind in counts.types},
        )

    def _categories(self, folder: str) -> tuple[Category, ...]:
        found = []
        for name, records in sorted(self._counts.by_category.items()):
            path = join(folder, f"category={name}")
            files = tuple(self.store.files(path)) if records else ()
            if records:
                found.append(Category(name, path, FORMAT, records, files))
        return tuple(found)

    def _measure(self, staged: Staged, write_seconds: float) -> None:
        counts, metrics = self._counts, self.metrics
        counting.check(counts)
        metrics.records_read, metrics.records_written = counts.read, counts.written
        metrics.bytes_written = sum(category.bytes for category in staged.kept)
        metrics.dropped(counts.reasons)
        metrics.payload = payload_of(counts, self._intervals, staged, write_seconds)


def moment(micros: int) -> datetime:
    """A time from microseconds since the epoch."""
    return EPOCH + timedelta(microseconds=micros)
