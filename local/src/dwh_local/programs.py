"""The processes of the local system, as data: command, environment, port, what it waits for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dwh_local import airflow, aws, opensearch
from dwh_local.environment import SERVICES, service_settings, shared_settings
from dwh_local.system import System
from dwh_local.waiting import probe

AIRFLOW = tuple(airflow.PROCESSES)
TIMER, COURIER = "timer", "courier"
NAMES = ("opensearch", "aws", *AIRFLOW, *SERVICES, TIMER, COURIER)


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised process."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    port: int | None = None


def programs(system: System, installation: opensearch.Installation) -> dict[str, Program]:
    """Every program of the system, whether it is wanted now or not."""
    listed = [
        Program(
            "opensearch",
            installation.command(node_directory(system), system.ports.opensearch),
            port=system.ports.opensearch,
        ),
        Program(
            "aws",
            aws.command(),
            aws.environment(system.place.state / "aws", system.ports.aws),
            system.ports.aws,
        ),
        *(_airflow(system, name) for name in AIRFLOW),
        *(_service(system, name) for name in SERVICES),
        Program(TIMER, [sys.executable, "-m", "dwh_local.timer"], shared_settings(system)),
        Program(COURIER, _courier(system), aws.client_environment(system.names.endpoint_url)),
    ]
    return {program.name: program for program in listed}


def node_directory(system: System) -> Path:
    """Where the node keeps its data."""
    return system.place.state / "opensearch"


def readiness(system: System, name: str) -> Callable[[], bool]:
    """How to see from outside that a program is ready."""
    if name == "opensearch":
        return lambda: opensearch.answers(system.opensearch_url, node_directory(system))
    if name == "aws":
        return lambda: aws.answers(system.names.endpoint_url)
    if name in SERVICES:
        return lambda: probe(f"{system.url(name)}/readyz")
    return lambda: True


def _airflow(system: System, name: str) -> Program:
    port = system.ports.airflow if name == "airflow-api" else None
    return Program(name, airflow.command(system.place, name), airflow.settings(system), port)


def _service(system: System, name: str) -> Program:
    return Program(
        name,
        [sys.executable, "-m", f"dwh_{name}"],
        service_settings(system, name),
        dict(system.ports.items())[name],
    )


def _courier(system: System) -> list[str]:
    command = [sys.executable, "-m", "dwh_local.courier", "--copies", str(system.faults.copies)]
    return [*command, *(["--seed", str(system.faults.seed)] if system.faults.seed is not None else [])]
