"""A target whose runs end at once."""

# ruff: noqa: AIR002  the schedule comes with `target`

from datetime import UTC, datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param
from dwh_target import target

with DAG(
    "echo_target",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    **target(params={"rows": Param(None, type=["null", "integer"])}, max_active_runs=16),
):
    EmptyOperator(task_id="echo")

with DAG("not_a_target", start_date=datetime(2024, 1, 1, tzinfo=UTC), schedule=None):
    EmptyOperator(task_id="never")
