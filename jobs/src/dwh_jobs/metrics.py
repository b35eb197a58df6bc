"""What a run measured: counts, drop reasons, phases, and the job's own payload.

Counts stay 0 until the action they come from has succeeded; a failed run never reports partial ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from dwh_contracts.arrays import to_array
from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.times import format_time
from pydantic import JsonValue

from dwh_jobs.errors import InvariantError


@dataclass(slots=True)
class Span:
    """Wall time of one phase; a phase entered again goes on counting."""

    start: datetime
    end: datetime
    seconds: float = 0.0

    def as_json(self) -> JsonObject:
        """The shape of `metrics.phases.<name>`."""
        return {
            "start_time": format_time(self.start),
            "end_time": format_time(self.end),
            "duration_seconds": round(self.seconds, 6),
        }


@dataclass(slots=True)
class JobMetrics:
    """Collects what the event reports; one per run."""

    clock: Clock
    records_read: int = 0
    records_written: int = 0
    bytes_written: int = 0
    drop_reasons: dict[str, int] = field(default_factory=dict)
    payload: JsonObject = field(default_factory=dict)
    resources: dict[str, float] = field(default_factory=dict)
    phases: dict[str, Span] = field(default_factory=dict)
    running: str | None = None
    started: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock.now()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase; after an exception `running` still names it."""
        started, begin = self.clock.now(), self.clock.monotonic()
        span = self.phases.setdefault(name, Span(started, started))
        self.running = name
        try:
            yield
            self.running = None
        finally:
            span.end = self.clock.now()
            span.seconds += self.clock.monotonic() - begin

    @property
    def records_dropped(self) -> int:
        """Always the sum of the drop reasons."""
        return sum(self.drop_reasons.values())

    def dropped(self, counts: Mapping[str, int]) -> None:
        """Set the drop reasons; those that did not occur are left out."""
        self.drop_reasons = {reason: count for reason, count in counts.items() if count}

    def clear(self) -> None:
        """Forget the counts, not the times: the work is done again on another base."""
        self.records_read = self.records_written = self.bytes_written = 0
        self.drop_reasons, self.payload = {}, {}

    def as_json(self) -> JsonObject:
        """The measured part of `metrics`."""
        reasons: list[JsonValue] = list(to_array(dict(self.drop_reasons), "reason", "count"))
        measured: JsonObject = {
            "records_read": self.records_read,
            "records_written": self.records_written,
            "records_dropped": self.records_dropped,
            "bytes_written": self.bytes_written,
            "phases": {name: span.as_json() for name, span in self.phases.items()},
            "drop_reasons": reasons,
            "payload": self.payload,
        }
        return measured


def must_equal(what: str, left: int, right: int) -> None:
    """Fail the run when two counts that must agree do not."""
    if left != right:
        raise InvariantError(f"{what}: {left} is not {right}")
