"""`python -m dwh_local.demo`: the whole line on this machine, every effect observed from outside.

DEMO_KEEP=1 leaves the system running, DEMO_COPIES=N delivers each message N times, DEMO_SHUFFLE=SEED out of
order. Exit code 0 only when every expected effect was seen.
"""

from __future__ import annotations

import os
import sys

from dwh_local import lifecycle
from dwh_local.demo import runs, summary
from dwh_local.demo.observer import Observer
from dwh_local.demo.steps import Steps
from dwh_local.demo.story import Story
from dwh_local.errors import LocalError, WrongValue
from dwh_local.progress import Progress
from dwh_local.supervise import Supervisor
from dwh_local.system import Faults, System, local_system

STEP_SECONDS = 150
MARK = "demo.mark"


def main() -> int:
    """Run the demo; its exit code."""
    progress = Progress(lambda line: print(line, flush=True))  # noqa: T201 - the demo talks to a person
    try:
        faults = _faults()
        system = local_system(faults=faults)
        system = _begin(system, progress)
        _run(system, progress)
    except LocalError as error:
        print(f"demo: {error}", file=sys.stderr, flush=True)  # noqa: T201
        return 2 if isinstance(error, WrongValue) else 1
    return 0


def _begin(system: System, progress: Progress) -> System:
    """A fresh system; one that a person started is used as it is, an earlier demo's is replaced."""
    mark = system.place.state / MARK
    if mark.exists():
        progress.say("removing the state of the last demo")
        lifecycle.down(system, purge=True)
        system = local_system(faults=system.faults)
    if not Supervisor(system.place).alive() and not (system.place.state / "opensearch").exists():
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    lifecycle.up(system, progress)
    return system


def _run(system: System, progress: Progress) -> None:
    steps = Steps(progress, seconds=STEP_SECONDS * (1 if not system.faults.active else 2))
    try:
        with Observer(system) as observer:
            observer.subscribe()
            story = Story(system, steps, observer, _number(observer))
            story.tell()
            _report(system, observer, story, steps, progress)
    finally:
        if os.environ.get("DEMO_KEEP", "0") in {"", "0"}:
            progress.say("stopping (DEMO_KEEP=1 leaves everything running)")
            lifecycle.down(system)


def _report(system: System, observer: Observer, story: Story, steps: Steps, progress: Progress) -> None:
    for run in story.runs:
        print(f"\n{run.colour}: dwh trace {run.run_id}\n{runs.trace(system, run)}", flush=True)  # noqa: T201
    path = system.place.state / "demo.json"
    left = summary.summary(observer, system.faults, story.runs, steps.done, runs.filtered_set(system))
    summary.write(path, left)
    progress.say(f"every expected effect was observed; summary in {path}")
    for name in ("approvals", "airflow", "opensearch"):
        print(f"  {name:<12} {system.url(name)}", flush=True)  # noqa: T201


def _number(observer: Observer) -> int:
    """The first number whose run ids are free in this system."""
    number = 1
    while any(observer.search("job-events", job_run_id=run.run_id) for run in runs.demo_runs(number)):
        number += 1
    return number


def _faults() -> Faults:
    copies, seed = os.environ.get("DEMO_COPIES") or "1", os.environ.get("DEMO_SHUFFLE") or None
    for name, text in (("DEMO_COPIES", copies), ("DEMO_SHUFFLE", seed)):
        if text is not None and not (text.isascii() and text.isdigit()):
            raise WrongValue(f"{name} must be a number, not {text!r}")
    if int(copies) < 1:
        raise WrongValue("DEMO_COPIES must be at least 1")
    return Faults(int(copies), None if seed is None else int(seed))


if __name__ == "__main__":
    sys.exit(main())
