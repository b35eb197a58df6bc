"""A real Airflow in its own environment: scheduler, one parser of DAG files, and the API server with the UI.

No login: it is bound to 127.0.0.1. SQLite, one database per checkout, made once and copied from then on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Self

import httpx

from dwh_local.aws import client_environment, inherited
from dwh_local.errors import LocalError
from dwh_local.paths import Checkout
from dwh_local.secrets_file import local_secrets
from dwh_local.system import ENVIRONMENT, System

VENV = "airflow-3.3"
DISPATCHER = "event_dispatcher"
PROCESSES = {
    "airflow-api": ("api-server",),
    "airflow-scheduler": ("scheduler", "--skip-serve-logs"),
    "airflow-parser": ("dag-processor",),
}


def command(place: Checkout, process: str) -> list[str]:
    """The command line of one of PROCESSES."""
    programs = place.bin(VENV)
    return [str(programs / "python"), str(programs / "airflow"), *PROCESSES[process]]


def settings(system: System) -> dict[str, str]:
    """Airflow's configuration, Variables and AWS clients, all by environment."""
    home, keys = system.place.airflow_home, local_secrets(system.place.state / "secrets.json")
    return {
        **_database(home),
        **_speed(),
        **_variables(system),
        **client_environment(system.names.endpoint_url),
        "DWH_DATA_URI": system.place.data.as_uri(),
        "AIRFLOW__CORE__DAGS_FOLDER": str(system.place.dags),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{system.url('airflow')}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(system.ports.airflow),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": system.url("airflow"),
        "AIRFLOW__API__SECRET_KEY": keys["airflow_api"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["airflow_jwt"],
        "PATH": f"{system.place.bin(VENV)}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }


def ensure_database(place: Checkout) -> None:
    """Make the database: migrate once per Airflow version, then copy."""
    target = place.airflow_home / "airflow.db"
    if target.exists():
        return
    pinned = (place.root / "requirements" / f"{VENV}.txt").read_bytes()
    template = place.cache / "airflow" / hashlib.sha256(pinned).hexdigest()[:12] / "airflow.db"
    if not template.exists():
        _migrate(place, template)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    shutil.copyfile(template, partial)
    partial.rename(target)


def release_dispatcher(place: Checkout) -> None:
    """End the dispatcher's runs of an earlier scheduler, while none runs: a retry would come late."""
    with closing(sqlite3.connect(place.airflow_home / "airflow.db")) as database, database:
        for table in ("task_instance", "dag_run"):
            database.execute(
                f"UPDATE {table} SET state = 'failed' WHERE dag_id = ? "  # noqa: S608 - two fixed names
                "AND (state IS NULL OR state NOT IN ('success', 'failed', 'skipped', 'upstream_failed'))",
                (DISPATCHER,),
            )


def healthy(url: str) -> bool:
    """Whether API server, scheduler and parser work."""
    try:
        state = httpx.get(f"{url}/api/v2/monitor/health", timeout=5).json()
    except (httpx.HTTPError, ValueError):
        return False
    return all(state.get(part, {}).get("status") == "healthy" for part in ("scheduler", "dag_processor"))


def dispatching(url: str) -> bool:
    """Whether the dispatcher waits for messages."""
    try:
        with AirflowApi(url) as api:
            active = [
                str(r["dag_run_id"]) for r in api.dag_runs(DISPATCHER, limit=3) if r["state"] == "running"
            ]
            return any(api.task_state(DISPATCHER, run_id, "receive") == "running" for run_id in active)
    except (httpx.HTTPError, ValueError):
        return False


def stop_leftovers(place: Checkout) -> None:
    """End what a killed scheduler left: tasks and their Spark jobs run in sessions of their own (Linux)."""
    mark = f"AIRFLOW_HOME={place.airflow_home}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGTERM)
        except OSError:
            continue


class AirflowApi:
    """Airflow's REST API as the local user, who is an administrator."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=15)

    def __enter__(self) -> Self:
        token = self._client.get("/auth/token").raise_for_status().json()["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **params: str | int) -> dict[str, object]:
        """The JSON object at a path of the API."""
        answer = self._client.get(f"/api/v2{path}", params=params).raise_for_status()
        body: dict[str, object] = answer.json()
        return body

    def task_state(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        """State of a task of a run."""
        found = self.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}")["state"]
        return None if found is None else str(found)

    def dag_runs(self, dag_id: str, limit: int = 100) -> list[dict[str, object]]:
        """Runs of a DAG, newest first."""
        runs = self.get(f"/dags/{dag_id}/dagRuns", limit=limit, order_by="-id")["dag_runs"]
        if not isinstance(runs, list):
            raise LocalError(f"Airflow answered no list of runs for {dag_id}")
        return runs


def _database(home: Path) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout=30",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": "",
    }


def _speed() -> dict[str, str]:
    return {
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "3",  # the dispatcher waits in one; two are left for targets
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        # A task of a scheduler that was killed is given up after seconds, not minutes.
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def _variables(system: System) -> dict[str, str]:
    job_command = [str(system.place.bin("jobs") / "python"), "-m", "dwh_jobs.generic_entry"]
    variables = {
        "mwaa_trigger_queue_url": system.names.queue_url("mwaa-triggers"),
        "dwh_environment": ENVIRONMENT,
        "dwh_job_events_topic_arn": system.names.topic_arn("job-events"),
        "dwh_target_runner": "local",
        "dwh_job_config_uri": (system.place.root / "jobs" / "config").as_uri(),
        "dwh_local_command": json.dumps(job_command),
        "dwh_deferrable": "false",
    }
    return {f"AIRFLOW_VAR_{name.upper()}": value for name, value in variables.items()}


def _migrate(place: Checkout, template: Path) -> None:
    home = template.parent / "making"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    programs = place.bin(VENV)
    answer = subprocess.run(
        [str(programs / "python"), str(programs / "airflow"), "db", "migrate"],
        env={**inherited(), **_database(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise LocalError(
            f"`airflow db migrate` failed: {' '.join((answer.stderr or answer.stdout).splitlines()[-1:])}"
        )
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")  # kept in the file: readers no longer block the scheduler
    (home / "airflow.db").rename(template)
    shutil.rmtree(home)
