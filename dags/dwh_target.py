"""Make any DAG a target of the event dispatcher, in five lines.

    from airflow.sdk import DAG, Param
    from dwh_target import target

    with DAG("my_dag", **target(params={"start_date": Param(type="string")})):
        ...

Guarantees that the DAG may be triggered (tag), refuses conf of the wrong type when it is triggered, runs one
at a time, and tells the job-events topic how each run ended. A fact that cannot be published is logged and
never changes the outcome of a run.
"""

# ruff: noqa: AIR311  imports of Airflow 2 stand in its branch

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3

try:
    from airflow.sdk import Param, Variable, timezone

    AIRFLOW_3 = True
except ImportError:  # Airflow 2
    from airflow.models import Variable
    from airflow.models.param import Param
    from airflow.utils import timezone

    AIRFLOW_3 = False

log = logging.getLogger(__name__)

TARGET_TAG = "dwh-target"
_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_TOKEN = re.compile(r"[\x21-\x2e\x30-\x7e]{1,250}")  # printable ASCII without space and "/"
# What the orchestrator adds to the conf of every trigger; a person who starts the DAG may leave it out.
RESERVED_PARAMS = {
    "triggered_by_job": Param(None, type=["null", "string"], description="Job whose run led to this one"),
    "triggered_by_run_id": Param(None, type=["null", "string"], description="Run that led to this one"),
    "trigger_id": Param(None, type=["null", "string"], description="Id of the trigger"),
    "source_artifacts": Param(None, type=["null", "object"], description="Manifest of that run: uri, sha256"),
}


def target(
    *, params: Mapping[str, Param] | None = None, tags: tuple[str, ...] = (), **overrides: Any
) -> dict[str, Any]:
    """Arguments of a DAG that the dispatcher may start; `overrides` win."""
    return {
        "schedule": None,
        "catchup": False,
        "is_paused_upon_creation": False,
        "max_active_runs": 1,
        "tags": [TARGET_TAG, *tags],
        "params": {**RESERVED_PARAMS, **(params or {})},
        "on_success_callback": publish_finished,
        "on_failure_callback": publish_finished,
        **overrides,
    }


def variable(name: str, default: str | None = None) -> str | None:
    """An Airflow Variable, read while a task or callback runs."""
    value = Variable.get(name, default=default) if AIRFLOW_3 else Variable.get(name, default_var=default)
    return None if value is None else str(value)


def publish_finished(context: Mapping[str, Any]) -> None:
    """Callback of a DAG: publish `dag_run_finished`, if the run was triggered and the topic is known."""
    dag_run, topic_arn = context.get("dag_run"), variable("dwh_job_events_topic_arn")
    if dag_run is None or topic_arn is None:
        log.info("dag_run_finished_not_published: no run in the context or no topic")
        return
    fact = dag_run_finished(
        dag_id=str(dag_run.dag_id),
        run_id=str(dag_run.run_id),
        conf=dag_run.conf or {},
        state=_state(context),
        start=dag_run.start_date,
        end=dag_run.end_date or timezone.utcnow(),
        environment=str(variable("dwh_environment")),
        now=timezone.utcnow(),
    )
    if fact is None:
        log.info("dag_run_finished_not_published: run %r was not started by a job", dag_run.run_id)
        return
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    boto3.client("sns", region_name=region).publish(TopicArn=topic_arn, **message_of(fact))


def _state(context: Mapping[str, Any]) -> str:
    # The reason is "success" or names what failed; the run's own state is still "running" in some versions.
    return "success" if context.get("reason") == "success" else "failed"


def dag_run_finished(
    *,
    dag_id: str,
    run_id: str,
    conf: Mapping[str, Any],
    state: str,
    start: datetime | None,
    end: datetime,
    environment: str,
    now: datetime,
) -> dict[str, Any] | None:
    """The fact that a triggered run ended; None when its conf does not name the run that led to it.

    The end is part of the id: a cleared run finishes again, and that is another fact.
    """
    job_name, job_run_id = conf.get("triggered_by_job"), conf.get("triggered_by_run_id")
    trigger_id = conf.get("trigger_id")
    if not (_is(_JOB_NAME, job_name) and _is(_TOKEN, job_run_id) and _is(_TOKEN, trigger_id)):
        return None
    parts = ("dag_run_finished", environment, dag_id, run_id, _text(end))
    return {
        "event_type": parts[0],
        "event_id": hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32],
        "schema_version": "1.0",
        "environment": environment,
        "job_name": job_name,
        "job_run_id": job_run_id,
        "attempt": 1,
        "timestamp": _text(now),
        "producer": dag_id,
        "causation_id": trigger_id,
        "dag_id": dag_id,
        "dag_run_id": run_id,
        "trigger_id": trigger_id,
        "state": state,
        "end_date": parts[-1],
        "duration_seconds": (end - start).total_seconds() if start else None,
    }


def message_of(fact: Mapping[str, Any]) -> dict[str, Any]:
    """Body, subject and attributes of a fact, as SNS takes them."""
    attributes = ("event_type", "event_id", "environment", "schema_version", "job_name")
    return {
        "Message": json.dumps(fact),
        "Subject": f"Job Event: {fact['job_name']} - {fact['event_type']}"[:99],
        "MessageAttributes": {n: {"DataType": "String", "StringValue": fact[n]} for n in attributes},
    }


def _is(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
