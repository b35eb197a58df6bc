"""Runs of jobs as a user would configure them, on data of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dwh_contracts.clock import SystemClock
from dwh_jobs.context import ExecutionContext, ServiceProvider
from dwh_jobs.events import job_completed
from dwh_jobs.factory import JobFactory
from dwh_jobs.job import AbstractJob, JobPorts
from dwh_jobs.sample_data import Recipe, write
from dwh_jobs.window import Window
from pyspark.sql import SparkSession

GOLDEN = Path(__file__).parents[1] / "contracts" / "golden"
START, END = datetime(2026, 11, 23, 7, tzinfo=UTC), datetime(2026, 11, 23, 7, 15, tzinfo=UTC)
WINDOW = Window(START, END)
CHECKS: list[dict[str, Any]] = [{"name": "drop_rate"}, {"name": "min_records", "minimum": 1}]


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_bytes())


def a_context(job_name: str = "transform_images", **over: Any) -> ExecutionContext:
    given: dict[str, Any] = {
        "environment": "local",
        "region": "us-east-1",
        "service_provider": ServiceProvider.LOCAL,
        "job_name": job_name,
        "job_run_id": "run-1",
        "platform_run_id": "platform-1",
        "attempt": 1,
        "created_by": "test",
        "window": WINDOW,
        "code_version": "0.1.0",
        "correlation_id": "root-1",
        "causation_id": None,
    }
    return ExecutionContext(**given | over)


@dataclass
class Lab:
    """A folder with data, and jobs that run on it."""

    folder: Path
    session: SparkSession
    ports: JobPorts = field(init=False)

    def __post_init__(self) -> None:
        self.ports = JobPorts(session=lambda _context, _config: self.session, clock=SystemClock())

    @property
    def uri(self) -> str:
        return self.folder.as_uri()

    def config(self, job_name: str, **over: Any) -> dict[str, Any]:
        source, sink = ("source", "images") if job_name == "transform_images" else ("images", "filtered")
        return {
            "extractor_config": {"path": f"{self.uri}/{source}"},
            "loader_config": {"path": f"{self.uri}/{sink}"},
            "quality": {"rule_version": "2026-11-01", "checks": CHECKS},
            **over,
        }

    def job(
        self, job_name: str = "transform_images", *, config: Any = None, **context: Any
    ) -> AbstractJob[Any]:
        raw = config or self.config(job_name)
        return JobFactory(self.ports).create(job_name, raw, a_context(job_name, **context))

    def run(self, job_name: str = "transform_images", **given: Any) -> dict[str, Any]:
        outcome = self.job(job_name, **given).run()
        return job_completed(outcome, self.ports.clock.now())

    def sample(self, rows: int = 60, window: Window = WINDOW, **recipe: Any) -> list[str]:
        return write(Recipe(rows, **recipe), window, f"{self.uri}/source")

    def lines(self, *lines: str | bytes, interval: str = "min=00", name: str = "part.jsonl") -> Path:
        path = self.folder / "source/year=2026/month=11/day=23/hour=07" / interval / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in lines))
        return path

    def rows(self, event: dict[str, Any], category: str) -> list[dict[str, Any]]:
        base = Path(event["artifacts_base_path"].removeprefix("file://"))
        found = sorted((base / f"category={category}").rglob("part-*"))
        return [json.loads(line) for path in found for line in path.read_text().splitlines()]
