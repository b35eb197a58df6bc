"""What a demo left behind, as data, so that two demos can be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dwh_local.demo.observer import Observer
from dwh_local.demo.runs import DemoRun
from dwh_local.system import Faults

READ_MODELS = ("job-events", "job-events-transform-images", "job-approvals", "job-triggers", "job-alerts")


def summary(
    observer: Observer,
    faults: Faults,
    runs: list[DemoRun],
    steps: list[tuple[str, float]],
    filtered_set: dict[str, Any],
) -> dict[str, Any]:
    """Ids of events, documents of read models, the filtered set, DAG runs, alerts; `compare` drops times."""
    return {
        "faults": {"copies": faults.copies, "seed": faults.seed},
        "runs": [run.run_id for run in runs],
        "events": {family: observer.event_ids(family) for family in ("job", "approval", "effect")},
        "read_models": {name: _by_id(observer, name) for name in READ_MODELS},
        "dag_runs": sorted((run["dag_run_id"], run["state"]) for run in observer.dag_runs()),
        "alerts": sorted(
            (str(a["severity"]), str(a["transition"]), str(a["rule"]), str(a["job_run_id"]))
            for a in observer.alerts
        ),
        "filtered_set": filtered_set,
        "quarantined": len(observer.search("events-quarantine-v1")),
        "steps": steps,
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a summary."""
    path.write_text(json.dumps(content, indent=1, sort_keys=True))


def _by_id(observer: Observer, name: str) -> dict[str, Any]:
    return {
        str(document.get("id") or document.get("incident_id")): document for document in observer.search(name)
    }
