"""The process that records a class archive: both shipped jobs on a few rows, then the JVM ends in order."""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dwh_contracts.clock import SystemClock
from pyspark import SparkContext
from pyspark.sql import SparkSession

from dwh_jobs.arguments import parse_arguments
from dwh_jobs.class_archive import recording
from dwh_jobs.config import JobConfig
from dwh_jobs.context import ExecutionContext, execution_context
from dwh_jobs.factory import JobFactory
from dwh_jobs.job import JobPorts
from dwh_jobs.sample_data import Recipe, write
from dwh_jobs.session import JVM_OPTIONS, open_session
from dwh_jobs.window import Window

START = datetime(2026, 1, 15, 18, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=15))
ENDING_SECONDS = 240


def record(archive: Path) -> None:
    """Run the jobs, end the JVM and wait until it has written the archive."""
    options = {"spark.driver.extraJavaOptions": f"{JVM_OPTIONS} {recording(archive)}"}
    session = open_session(_context("transform_images", "none"), JobConfig(spark=options))
    with tempfile.TemporaryDirectory() as folder:
        _run_both(session, Path(folder).as_uri())
    gateway = SparkContext._gateway  # noqa: SLF001 - pyspark has no public way to wait for its JVM
    session.stop()
    if gateway is None:
        raise RuntimeError("Spark has no JVM of its own here")
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(ENDING_SECONDS)


def _run_both(session: SparkSession, base: str) -> None:
    factory = JobFactory(JobPorts(session=lambda _context, _config: session, clock=SystemClock()))
    write(Recipe(60, corrupt=0.1, undecryptable=0.1), WINDOW, f"{base}/source")
    for run_id, name, source, sink in (
        ("one", "transform_images", "source", "images"),
        ("two", "filter_images", "images", "filtered"),
        ("three", "filter_images", "images", "filtered"),  # again: with the first set as its base
    ):
        config = {
            "extractor_config": {"path": f"{base}/{source}"},
            "loader_config": {"path": f"{base}/{sink}"},
        }
        outcome = factory.create(name, config, _context(name, run_id)).run()  # type: ignore[arg-type]
        if outcome.failure:
            raise RuntimeError(f"{name} failed: {outcome.failure.message}")


def _context(job_name: str, run_id: str) -> ExecutionContext:
    window = ["--start_date", WINDOW.start.isoformat(), "--end_date", WINDOW.end.isoformat()]
    named = ["--job_name", job_name, "--config", "{}", "--created_by", "class_archive"]
    run = ["--job_run_id", run_id, "--environment", "local"]
    return execution_context(parse_arguments([*named, *run, *window]), SystemClock(), {})


if __name__ == "__main__":
    record(Path(sys.argv[1]))
