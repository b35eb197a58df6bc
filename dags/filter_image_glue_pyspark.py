"""Run filter_images on what a transform run published.

On AWS a Glue job, on one machine a process, chosen by the Variable `dwh_target_runner`. Values of the conf
reach the job as items of its argument list only: no shell, no template.
"""

# ruff: noqa: AIR002, AIR311  the schedule comes with `target`; imports of Airflow 2 stand in its branch

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.amazon.aws.operators.glue import GlueJobOperator
from dwh_target import target, variable  # type: ignore[import-not-found,unused-ignore]

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param

JOB_NAME = "filter_images"
MANIFEST = "/_manifest.json"
NO_OPTION = "^[^-]"  # a value with a leading dash would read as an option of the job
TEXT = {"type": "string", "pattern": NO_OPTION, "maxLength": 1024}
TEXT_OR_NULL = {**TEXT, "type": ["null", "string"]}


def job_arguments(
    params: Mapping[str, Any], *, config_uri: str, environment: str, run_id: str, attempt: int
) -> list[str]:
    """Arguments of the job for one attempt of a DAG run; what the conf leaves out is left out."""
    arguments = {
        "job_name": JOB_NAME,
        "config": f"{config_uri.rstrip('/')}/{JOB_NAME}.json",
        "start_date": params.get("start_date"),
        "end_date": params.get("end_date"),
        "created_by": params.get("created_by") or "airflow",
        "environment": environment,
        "triggered_by_job": params.get("triggered_by_job"),
        "triggered_by_run_id": params.get("triggered_by_run_id"),
        "trigger_id": params.get("trigger_id"),
        "attempt": str(attempt),
        "job_run_id": run_id,
        "transform_output_path": params.get("transform_output_path") or _folder_of_manifest(params),
    }
    return [item for name, value in arguments.items() if value is not None for item in (f"--{name}", value)]


def _folder_of_manifest(params: Mapping[str, Any]) -> str | None:
    uri = (params.get("source_artifacts") or {}).get("uri")
    return uri.removesuffix(MANIFEST) if isinstance(uri, str) and uri.endswith(MANIFEST) else None


def command_of(text: str) -> list[str]:
    """The command of the Variable `dwh_local_command`: a JSON list, or words as a shell splits them."""
    command = json.loads(text) if text.lstrip().startswith("[") else shlex.split(text)
    if not command or not all(isinstance(word, str) for word in command):
        raise ValueError("dwh_local_command must name a program")
    return list(command)


class SparkJobOperator(GlueJobOperator):  # type: ignore[misc,unused-ignore]
    """The Glue operator, which runs the same job as a process where the Variable says `local`."""

    process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> Any:
        """Run the job to its end. Raises when it fails."""
        arguments = job_arguments(
            context["params"],
            config_uri=str(variable("dwh_job_config_uri")),
            environment=str(variable("dwh_environment")),
            run_id=context["run_id"],
            attempt=context["ti"].try_number,
        )
        if variable("dwh_target_runner", "glue") == "local":
            return self.run_process([*command_of(str(variable("dwh_local_command"))), *arguments])
        self.job_name = variable("dwh_glue_job_name") or f"dwh-{variable('dwh_environment')}-{JOB_NAME}"
        self.script_args = dict(zip(arguments[::2], arguments[1::2], strict=True))
        self.deferrable = variable("dwh_deferrable", "false") == "true"
        return super().execute(context)

    def run_process(self, command: list[str]) -> None:
        """Run a command without a shell, its output in the log of the task."""
        told = {
            "DWH_ENVIRONMENT": variable("dwh_environment"),
            "DWH_JOB_EVENTS_TOPIC_ARN": variable("dwh_job_events_topic_arn"),
        }
        self.log.info("Starting %s", command)
        self.process = subprocess.Popen(  # noqa: S603  the command is the operator's, the rest are plain items
            command,
            env={**os.environ, **{name: value for name, value in told.items() if value}},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        with self.process:
            for line in self.process.stdout or ():
                self.log.info("%s", line.rstrip())
        if code := self.process.returncode:
            raise RuntimeError(f"{JOB_NAME} ended with exit code {code}")

    def on_kill(self) -> None:
        """Stop the process and its JVM, or the Glue run."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGTERM)
        elif self._job_run_id:
            super().on_kill()


with DAG(
    dag_id="filter_image_glue_pyspark",
    description="Merges a transform run into the day's deduplicated set of images",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    doc_md=__doc__,
    **target(
        params={
            # Text here, dates in the job: one place knows which forms of a date are read.
            "start_date": Param(None, description="Start of the window, inclusive", **TEXT_OR_NULL),
            "end_date": Param(None, description="End of the window, exclusive", **TEXT_OR_NULL),
            "created_by": Param("airflow", **TEXT),
            "transform_output_path": Param(None, description="Folder of the manifest", **TEXT_OR_NULL),
        },
    ),
) as dag:
    SparkJobOperator(
        task_id=JOB_NAME,
        aws_conn_id=None,
        region_name=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
        stop_job_run_on_kill=True,
        retries=1,
        retry_delay=timedelta(seconds=10),
    )
