"""Who gets a message: the built-in routes, owners and links.

The two built-in routes come last, always apply and cannot be removed; routes of a file go before them.
Pure: no file is read here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote


class Severity(StrEnum):
    """How much an incident matters; `info` reaches the console only."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Position from the mildest to the gravest, for comparing."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Route:
    """All incidents of one severity to one sink."""

    id: str
    severity: Severity
    sinks: tuple[str, ...]


BUILT_IN = (
    Route("sns-warning", Severity.WARNING, ("sns-warning",)),
    Route("sns-critical", Severity.CRITICAL, ("sns-critical",)),
)


@dataclass(frozen=True, slots=True)
class Owned:
    """What the routes file says about one job."""

    owner: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes in force, with owners and the addresses messages link to."""

    console_url: str | None = None
    runbook: str | None = None
    config_version: str | None = None
    jobs: Mapping[str, Owned] = field(default_factory=dict)
    routes: tuple[Route, ...] = BUILT_IN

    def sinks(self, severity: Severity) -> tuple[str, ...]:
        """Every sink that hears of `severity`, once each, in the order of the routes."""
        named = (sink for route in self.routes if route.severity is severity for sink in route.sinks)
        return tuple(dict.fromkeys(named))

    def owned(self, job_name: str) -> Owned:
        """Owner and tags of a job; both empty for a job the routes file does not name."""
        return self.jobs.get(job_name, Owned())

    def links(self, *, environment: str, job_name: str, job_run_id: str, rule: str) -> dict[str, str | None]:
        """Run page and runbook; values are percent-encoded, so no text of an event becomes markup or path."""
        values = {"environment": environment, "job_name": job_name, "job_run_id": job_run_id, "rule": rule}
        encoded = {name: quote(value, safe="") for name, value in values.items()}
        run = f"{self.console_url.rstrip('/')}/runs/{{job_name}}/{{job_run_id}}" if self.console_url else None
        return {"run": _filled(run, encoded), "runbook": _filled(self.runbook, encoded)}


def _filled(template: str | None, values: Mapping[str, str]) -> str | None:
    # Not str.format: a template names four values and reaches into nothing.
    if template is None:
        return None
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template
