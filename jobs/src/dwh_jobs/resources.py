"""What the run occupied, as far as Spark tells."""

from __future__ import annotations

import re

from pyspark.sql import SparkSession

from dwh_jobs.context import ExecutionContext, ServiceProvider

_GIBIBYTES = {"k": 1 / 1024**2, "m": 1 / 1024, "g": 1.0, "t": 1024.0}


def resources_of(spark: SparkSession, context: ExecutionContext) -> dict[str, float]:
    """Executors and memory; `glue_dpu_seconds` is added when the duration is known."""
    settings = spark.sparkContext.getConf()
    if str(settings.get("spark.master") or "").startswith("local"):
        executors = 1
        executor_memory = _gibibytes(str(settings.get("spark.driver.memory") or "1g"))
    else:
        executors = int(str(settings.get("spark.executor.instances") or "0"))
        executor_memory = _gibibytes(str(settings.get("spark.executor.memory") or "1g"))
    found = {
        "spark_executor_count": float(executors),
        "spark_executor_memory_gb": executor_memory,
        "spark_driver_memory_gb": _gibibytes(str(settings.get("spark.driver.memory") or "1g")),
    }
    if context.service_provider is ServiceProvider.GLUE:
        found["dpu"] = executors * executor_memory / 16 + 1
    return found


def published(resources: dict[str, float], seconds: float) -> dict[str, float]:
    """The shape of `metrics.resources` for a run of this duration; the DPU figure is an estimate."""
    shown = {name: _plain(value) for name, value in resources.items() if name != "dpu"}
    return shown | {"glue_dpu_seconds": round(resources.get("dpu", 0.0) * seconds, 1)}


def _gibibytes(text: str) -> float:
    found = re.fullmatch(r"(\d+)\s*([kmgt])?b?", text.strip().lower())
    if found is None:
        return 0.0
    return int(found.group(1)) * _GIBIBYTES[found.group(2) or "m"]


def _plain(value: float) -> float:
    """A whole number without a fraction, as people write it."""
    return int(value) if value == int(value) else round(value, 3)
