"""The three Spark runs: what they are called, which rows they read, how they are started."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dwh_local.aws import client_environment, inherited
from dwh_local.errors import StepFailed
from dwh_local.system import ENVIRONMENT, System
from dwh_local.waiting import until

JOB = "transform_images"
REQUESTER = "demo-scheduler"
ROWS = 6000
NOT_REACHABLE = 3  # exit code of `dwh`: the service may just be starting again
RESTART_SECONDS = 60


@dataclass(frozen=True, slots=True)
class DemoRun:
    """One run: the shares of broken rows decide its colour (yellow from 5 %, red from 10 %)."""

    colour: str
    start: str
    end: str
    corrupt: float
    null_time: float
    undecryptable: float
    number: int = 1

    @property
    def run_id(self) -> str:
        """The run id, the same in every first demo of a state folder."""
        return f"demo-{self.number}-{self.colour.lower()}"


def demo_runs(number: int) -> list[DemoRun]:
    """GREEN, YELLOW and RED, three hours of one day."""
    return [
        DemoRun("GREEN", "2026-01-15T18:00:00Z", "2026-01-15T19:00:00Z", 0.004, 0.003, 0.003, number),
        DemoRun("YELLOW", "2026-01-15T19:00:00Z", "2026-01-15T20:00:00Z", 0.03, 0.02, 0.02, number),
        DemoRun("RED", "2026-01-15T20:00:00Z", "2026-01-15T21:00:00Z", 0.06, 0.04, 0.05, number),
    ]


def write_input(system: System, run: DemoRun) -> None:
    """Write the run's rows in the layout the job reads."""
    arguments = ["--rows", str(ROWS), "--seed", run.start[11:13], "--corrupt", str(run.corrupt)]
    arguments += ["--null-time", str(run.null_time), "--undecryptable", str(run.undecryptable)]
    arguments += ["--output", (system.place.data / "source").as_uri()]
    _python(
        system, "dwh_jobs.sample_data", [*arguments, "--start_date", run.start, "--end_date", run.end], run
    )


def run_job(system: System, run: DemoRun) -> None:
    """Run transform_images as the platform would, in a process of its own."""
    config = system.place.root / "jobs" / "config" / f"{JOB}.json"
    arguments = [
        "--job_name",
        JOB,
        "--config",
        config.as_uri(),
        "--start_date",
        run.start,
        "--end_date",
        run.end,
    ]
    arguments += ["--created_by", REQUESTER, "--environment", ENVIRONMENT, "--job_run_id", run.run_id]
    _python(system, "dwh_jobs.generic_entry", arguments, run)


def approve(system: System, run: DemoRun, approver: str) -> None:
    """Approve the run with the command that a person uses."""
    dwh = str(system.place.bin("workspace") / "dwh")
    reason = "Checked the dropped rows: a known client bug, the rest is sound"
    command = [dwh, "approvals", "approve", JOB, run.run_id, "--reason", reason, "--as", approver]
    log = system.place.logs / "demo-approve.log"
    codes: list[int] = []

    def answered() -> bool:
        codes.append(_logged(command, inherited() | _which_system(), log))
        return codes[-1] != NOT_REACHABLE

    until(answered, seconds=RESTART_SECONDS, every_seconds=1)
    _require(codes[-1], log, "dwh approvals approve")


def trace(system: System, run: DemoRun) -> str:
    """What `dwh trace` prints about the run."""
    dwh = str(system.place.bin("workspace") / "dwh")
    answer = subprocess.run(
        [dwh, "trace", run.run_id],
        env=inherited() | _which_system() | {"COLUMNS": "150"},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise StepFailed(f"step failed: dwh trace {run.run_id}: {answer.stderr.strip()}")
    return answer.stdout


def filtered_set(system: System) -> dict[str, Any]:
    """The downstream set as a reader of the pointer finds it."""
    program = str(Path(__file__).with_name("final_set.py"))
    answer = subprocess.run(
        [str(system.place.bin("jobs") / "python"), program, str(system.place.data / "filtered")],
        env=inherited(),
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise StepFailed(f"step failed: the filtered set could not be read: {answer.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def _python(system: System, module: str, arguments: list[str], run: DemoRun) -> None:
    environment = {
        **inherited(),
        **client_environment(system.names.endpoint_url),
        "DWH_ENVIRONMENT": ENVIRONMENT,
        "DWH_DATA_URI": system.place.data.as_uri(),
        "DWH_JOB_EVENTS_TOPIC_ARN": system.names.topic_arn("job-events"),
    }
    log = system.place.logs / f"{run.run_id}-{module.rpartition('.')[2]}.log"
    command = [str(system.place.bin("jobs") / "python"), "-m", module, *arguments]
    _run(command, environment, log, f"{module} for {run.colour}")


def _run(command: list[str], environment: dict[str, str], log: Path, name: str) -> None:
    _require(_logged(command, environment, log), log, name)


def _logged(command: list[str], environment: dict[str, str], log: Path) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        return subprocess.run(
            command, env=environment, stdout=out, stderr=subprocess.STDOUT, check=False
        ).returncode


def _require(code: int, log: Path, name: str) -> None:
    if code != 0:
        last = " / ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        raise StepFailed(f"step failed: {name} ended with {code} (log: {log}): {last}")


def _which_system() -> dict[str, str]:
    return {name: os.environ[name] for name in ("DWH_LOCAL_SLOT", "DWH_LOCAL_STATE") if name in os.environ}
