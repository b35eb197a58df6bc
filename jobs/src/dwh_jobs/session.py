"""The Spark session of a run, built in one place.

On a platform the platform's settings rule. On one machine the session is small and starts fast.
"""

from __future__ import annotations

import os
import sys

from pyspark.sql import SparkSession

from dwh_jobs.config import JobConfig
from dwh_jobs.context import ExecutionContext, ServiceProvider

EVERYWHERE = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.files.ignoreMissingFiles": "false",
}
ON_ONE_MACHINE = {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.adaptive.coalescePartitions.initialPartitionNum": "4",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto",
    "spark.sql.catalogImplementation": "in-memory",
}


def open_session(context: ExecutionContext, config: JobConfig) -> SparkSession:
    """Start the session, or take the one the platform has already started."""
    settings = dict(EVERYWHERE)
    if context.service_provider is ServiceProvider.LOCAL:
        settings |= ON_ONE_MACHINE
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else workers take python3 of the PATH
    builder = SparkSession.builder.appName(context.job_name)
    for name, value in (settings | config.spark).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
