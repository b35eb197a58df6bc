"""The configured checks of a run, judged on its real counts.

Worst of all wins; limits are inclusive; the status comes from the unrounded value, which is shown with four
digits. A check that cannot be evaluated is RED with the reason, never absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from dwh_contracts.events import QualityStatus
from dwh_contracts.quality import drop_rate, level, worst
from pydantic import BaseModel, ConfigDict, Field, model_validator

DIGITS = 4


@dataclass(frozen=True, slots=True)
class QualityFacts:
    """What the checks look at."""

    records_read: int
    records_dropped: int
    records_written: int
    window_end: datetime
    max_event_time: datetime | None = None
    dropped_by_type: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Per data type: rows seen, rows dropped."""
    gap_minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check's answer."""

    status: QualityStatus
    value: float | None
    threshold: float | None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check as the event and the manifest carry it."""

    name: str
    verdict: Verdict
    rule_version: str

    def as_json(self) -> dict[str, str | float | None]:
        """The shape of `quality.checks[]`."""
        verdict = self.verdict
        return {
            "name": self.name,
            "status": verdict.status.value,
            "value": None if verdict.value is None else round(verdict.value, DIGITS),
            "threshold": verdict.threshold,
            "message": verdict.message,
            "rule_version": self.rule_version,
        }


@dataclass(frozen=True, slots=True)
class QualityResult:
    """All checks together; not evaluated when none is configured or none was reached."""

    status: QualityStatus = QualityStatus.GREEN
    evaluated: bool = False
    checks: tuple[CheckResult, ...] = ()


class _Check(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rule_version: str | None = None


class _Limits(_Check):
    """A value that is worse the higher it is."""

    yellow: float = Field(ge=0)
    red: float = Field(ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> _Limits:
        if self.red < self.yellow:
            raise ValueError("the red limit lies below the yellow one")
        return self

    def judge(self, value: float, what: str, unit: str = "%") -> Verdict:
        status, threshold = level(value, self.yellow, self.red)
        if status is QualityStatus.GREEN:
            return Verdict(status, value, threshold)
        colour = status.value.lower()
        shown, limit = (
            (f"{value:.1%}", f"{threshold:.1%}") if unit == "%" else (f"{value:g} {unit}", f"{threshold:g}")
        )
        return Verdict(status, value, threshold, f"{what} {shown} is at or above the {colour} limit {limit}")


class DropRate(_Limits):
    """Dropped rows among those read."""

    name: Literal["drop_rate"]
    yellow: float = Field(default=0.05, ge=0)
    red: float = Field(default=0.10, ge=0)

    def evaluate(self, facts: QualityFacts) -> Verdict | None:
        """Judge the run's drop rate."""
        return self.judge(drop_rate(facts.records_read, facts.records_dropped), "drop rate")


class DropRateByType(_Limits):
    """The worst data type's drop rate."""

    name: Literal["drop_rate_by_type"]
    yellow: float = Field(default=0.05, ge=0)
    red: float = Field(default=0.10, ge=0)

    def evaluate(self, facts: QualityFacts) -> Verdict | None:
        """Judge the worst type; the first by name among equals."""
        rates = {
            name: drop_rate(seen, dropped) for name, (seen, dropped) in sorted(facts.dropped_by_type.items())
        }
        name = max(rates, key=lambda key: rates[key], default=None)
        return self.judge(rates[name], f"drop rate of {name}") if name else self.judge(0.0, "drop rate")


class MinRecords(_Check):
    """Rows written, at least so many; off at 0."""

    name: Literal["min_records"]
    minimum: int = Field(ge=0)

    def evaluate(self, facts: QualityFacts) -> Verdict | None:
        """RED below the minimum."""
        if self.minimum == 0:
            return None
        value, minimum = float(facts.records_written), float(self.minimum)
        if value >= minimum:
            return Verdict(QualityStatus.GREEN, value, minimum)
        message = f"{facts.records_written} records written, fewer than the minimum {self.minimum}"
        return Verdict(QualityStatus.RED, value, minimum, message)


class EmptyWindow(_Check):
    """A window that must have data was read and has none."""

    name: Literal["empty_window"]
    status: Literal["YELLOW", "RED"] = "RED"

    def evaluate(self, facts: QualityFacts) -> Verdict | None:
        """The configured status when no row was read."""
        value = float(facts.records_read)
        if facts.records_read:
            return Verdict(QualityStatus.GREEN, value, None)
        return Verdict(QualityStatus(self.status), value, None, "no record in a window that must have data")


class Freshness(_Limits):
    """Minutes from the newest event to the end of the window."""

    name: Literal["freshness"]

    def evaluate(self, facts: QualityFacts) -> Verdict | None:
        """Judge the age of the newest event; RED when there is none."""
        if facts.max_event_time is None:
            return Verdict(QualityStatus.RED, None, self.red, "no event time in the window")
        minutes = (facts.window_end - facts.max_event_time).total_seconds() / 60
        return self.judge(max(minutes, 0.0), "age of the newest event", "minutes")


class CoverageGap(_Limits):
    """Minutes between the windows merged so far that no run has covered."""

    name: Literal["coverage_gap"]

    def evaluate(self, facts: QualityFacts) -> Verdict | None:
        """Judge the sum of the gaps."""
        if facts.gap_minutes is None:
            raise ValueError("this job does not merge windows, so it has no coverage")
        return self.judge(facts.gap_minutes, "uncovered time", "minutes")


Check = Annotated[
    DropRate | DropRateByType | MinRecords | EmptyWindow | Freshness | CoverageGap,
    Field(discriminator="name"),
]


class QualityConfig(BaseModel):
    """The checks of a job and the version of their limits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule_version: str = "1"
    checks: tuple[Check, ...] = ()


class QualityChecker:
    """Evaluates the configured checks on the facts of a run."""

    def __init__(self, config: QualityConfig) -> None:
        self._config = config

    def evaluate(self, facts: QualityFacts) -> QualityResult:
        """Every check's result and the worst of them."""
        results = []
        for check in self._config.checks:
            verdict = _evaluated(check, facts)
            if verdict is not None:
                results.append(
                    CheckResult(check.name, verdict, check.rule_version or self._config.rule_version)
                )
        if not results:
            return QualityResult()
        return QualityResult(worst([result.verdict.status for result in results]), True, tuple(results))


def _evaluated(check: Check, facts: QualityFacts) -> Verdict | None:
    try:
        return check.evaluate(facts)
    except Exception as error:  # noqa: BLE001 - whatever breaks a check must be seen as its result
        return Verdict(QualityStatus.RED, None, None, f"the check could not be evaluated: {error}")
