"""The events that are measured: runs of one job, each its own, all alike.

A plain one has about 1.5 kB and no line items. A full one is the golden run of `transform_images`: with the
stored event 13 documents, two of the run and ten line items among them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from dwh_contracts import ids
from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import SystemClock
from dwh_contracts.parse import Event, event_from_body
from dwh_contracts.testing import a_job_event
from dwh_contracts.times import format_time

ENVIRONMENT = "local"
PLAIN_BYTES = 1500
DOCUMENTS_OF_A_FULL_EVENT = 13
_GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "contracts" / "golden" / "job_completed_green.json"

Make = Callable[[str, int], JsonObject]


def plain(job: str, number: int) -> JsonObject:
    """A run without checks, drop reasons, data types and categories."""
    return _as_run(_plain(), job, number)


def full(job: str, number: int) -> JsonObject:
    """A run with all of them."""
    return _as_run(_full(), job, number)


def events(make: Make, job: str, first: int, count: int) -> list[Event]:
    """So many of them, typed."""
    return [event_from_body(make(job, number)) for number in range(first, first + count)]


def encoded(body: JsonObject) -> str:
    """As a message carries it."""
    return json.dumps(body, separators=(",", ":"))


@cache
def _plain() -> JsonObject:
    body: JsonObject = a_job_event(environment=ENVIRONMENT, evaluated=False)
    quality: Any = body["quality"]
    quality["checks"] = []
    metrics: Any = body["metrics"]
    metrics["drop_reasons"] = []
    metrics["payload"] = {"extract": metrics.get("payload", {}).get("extract", {})}
    spare = PLAIN_BYTES - len(encoded(_as_run(body, "measured", 0)))
    metrics["payload"]["note"] = "x" * max(spare - len('"note":"",'), 0)
    return body


@cache
def _full() -> JsonObject:
    body: JsonObject = json.loads(_GOLDEN.read_text(encoding="utf-8"))
    return body


def _as_run(body: Any, job: str, number: int) -> JsonObject:
    run = f"run-{number:08d}"
    named = {"environment": ENVIRONMENT, "job_name": job, "job_run_id": run}
    metrics = {**body["metrics"], "job_name": job, "job_run_id": run}
    return {
        **body,
        **named,
        "event_id": ids.job_event_id("job_completed", ENVIRONMENT, job, run, int(body["attempt"])),
        "timestamp": format_time(SystemClock().now()),
        "metrics": metrics,
    }
