"""Who runs what, where, for which window: complete before any work begins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dwh_contracts.clock import Clock
from dwh_contracts.names import ENVIRONMENT, JOB_NAME, RUN_ID

from dwh_jobs.arguments import JobArguments
from dwh_jobs.errors import BadArgumentsError
from dwh_jobs.window import Window


class ServiceProvider(StrEnum):
    """Where the Spark driver runs."""

    GLUE = "GLUE"
    EMR = "EMR"
    DATABRICKS = "DATABRICKS"
    CONTAINER = "CONTAINER"
    LOCAL = "LOCAL"


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """Everything an event says about a run besides its result."""

    environment: str
    region: str
    service_provider: ServiceProvider
    job_name: str
    job_run_id: str
    platform_run_id: str
    attempt: int
    created_by: str
    window: Window
    code_version: str
    correlation_id: str
    causation_id: str | None
    triggered_by_job: str | None = None
    triggered_by_run_id: str | None = None
    transform_output_path: str | None = None


def execution_context(
    arguments: JobArguments, clock: Clock, environ: Mapping[str, str] = os.environ
) -> ExecutionContext:
    """The context of the run that these arguments and this platform describe."""
    platform_run_id = arguments.platform.get("JOB_RUN_ID") or environ.get("JOB_RUN_ID")
    run_id = arguments.job_run_id or platform_run_id
    run_id = run_id or f"spark-application-{round(clock.now().timestamp() * 1000)}"
    environment = arguments.environment or environ.get("DWH_ENVIRONMENT") or "local"
    for name, value, pattern in (
        ("job_name", arguments.job_name, JOB_NAME),
        ("job_run_id", run_id, RUN_ID),
        ("environment", environment, ENVIRONMENT),
    ):
        if not pattern.fullmatch(value):
            raise BadArgumentsError(f"--{name} is no valid name: {value[:80]!r}")
    return ExecutionContext(
        environment=environment,
        region=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        service_provider=_provider(environment, arguments.platform, environ),
        job_name=arguments.job_name,
        job_run_id=run_id,
        platform_run_id=platform_run_id or run_id,
        attempt=arguments.attempt,
        created_by=arguments.created_by,
        window=Window(arguments.start, arguments.end),
        code_version=_code_version(),
        correlation_id=arguments.triggered_by_run_id or run_id,
        causation_id=arguments.trigger_id,
        triggered_by_job=arguments.triggered_by_job,
        triggered_by_run_id=arguments.triggered_by_run_id,
        transform_output_path=arguments.transform_output_path,
    )


def _provider(environment: str, platform: Mapping[str, str], environ: Mapping[str, str]) -> ServiceProvider:
    if environment == "local":
        return ServiceProvider.LOCAL
    if "DATABRICKS_RUNTIME_VERSION" in environ:
        return ServiceProvider.DATABRICKS
    if any(name.startswith(("EMR_", "AWS_EMR_")) for name in environ):
        return ServiceProvider.EMR
    if "JOB_NAME" in platform or "GLUE_PYTHON_VERSION" in environ:
        return ServiceProvider.GLUE
    if "KUBERNETES_SERVICE_HOST" in environ or Path("/.dockerenv").exists():
        return ServiceProvider.CONTAINER
    return ServiceProvider.LOCAL


def _code_version() -> str:
    try:
        return version("dwh-jobs")
    except PackageNotFoundError:  # shipped as a zip, which carries no metadata
        return "0.1.0"
