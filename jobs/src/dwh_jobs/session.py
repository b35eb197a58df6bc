"""The Spark session of a run, built in one place.

On a platform the platform's settings rule. On one machine the session is small and starts fast.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from threading import Thread

from pyspark.sql import SparkSession

from dwh_jobs.class_archive import archive_path, using
from dwh_jobs.config import JobConfig
from dwh_jobs.context import ExecutionContext, ServiceProvider

EVERYWHERE = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.files.ignoreMissingFiles": "false",
}
JVM_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"
ON_ONE_MACHINE = {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.adaptive.coalescePartitions.initialPartitionNum": "4",
    "spark.sql.catalogImplementation": "in-memory",
}


def open_session(context: ExecutionContext, config: JobConfig) -> SparkSession:
    """Start the session, or take the one the platform has already started."""
    settings = dict(EVERYWHERE)
    if context.service_provider is ServiceProvider.LOCAL:
        settings |= ON_ONE_MACHINE
        settings["spark.driver.extraJavaOptions"] = f"{JVM_OPTIONS} {using(archive_path())}".strip()
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else workers take python3 of the PATH
        os.environ.setdefault("SPARK_LAUNCHER_OPTS", JVM_OPTIONS)  # of the JVM that only builds a command
        _import_meanwhile()
    builder = SparkSession.builder.appName(context.job_name)
    for name, value in (settings | config.spark).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def _import_meanwhile() -> None:
    """Import what pyspark 4 imports as soon as its JVM answers (it brings pandas) while the JVM starts."""

    def bring_in() -> None:
        with suppress(Exception):  # it is imported again where it is used, and fails there
            import_module("pyspark.testing")

    Thread(target=bring_in, name="imports", daemon=True).start()
