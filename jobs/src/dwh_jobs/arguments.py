"""The command line of a run, exactly as the other parts pass it.

Every argument takes one value: `--name value` or `--name=value`. What the platforms add of their own
(`--JOB_ID`, `--JOB_RUN_ID`, `--TempDir`, …) is kept apart; any other unknown name is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dwh_contracts.times import parse_time

from dwh_jobs.errors import BadArgumentsError
from dwh_jobs.nearest import did_you_mean

REQUIRED = ("job_name", "config", "start_date", "end_date", "created_by")
OPTIONAL = (
    "environment",
    "triggered_by_job",
    "triggered_by_run_id",
    "trigger_id",
    "attempt",
    "job_run_id",
    "transform_output_path",
)
ALIASES = {"module_name": "job_name"}
KNOWN = (*REQUIRED, *OPTIONAL, *ALIASES)
LARGEST_ATTEMPT = 50
_PLATFORM = re.compile(
    r"^([A-Z][A-Z0-9_-]*|TempDir|job-(bookmark|language|insights).*|enable-.*|extra-.*|conf)$"
)


@dataclass(frozen=True, slots=True)
class JobArguments:
    """The parsed command line."""

    job_name: str
    config: str
    start: datetime
    end: datetime
    created_by: str
    environment: str | None
    triggered_by_job: str | None
    triggered_by_run_id: str | None
    trigger_id: str | None
    attempt: int
    job_run_id: str | None
    transform_output_path: str | None
    platform: Mapping[str, str]


def parse_arguments(argv: Sequence[str]) -> JobArguments:
    """Parse a command line; BadArgumentsError says what is wrong with it and what is near."""
    ours, platform = _split(argv)
    missing = [f"--{name}" for name in REQUIRED if not ours.get(name)]
    if missing:
        raise BadArgumentsError(f"missing: {', '.join(missing)}")
    return JobArguments(
        job_name=ours["job_name"],
        config=ours["config"],
        start=_time(ours, "start_date"),
        end=_time(ours, "end_date"),
        created_by=ours["created_by"],
        environment=ours.get("environment") or None,
        triggered_by_job=ours.get("triggered_by_job") or None,
        triggered_by_run_id=ours.get("triggered_by_run_id") or None,
        trigger_id=ours.get("trigger_id") or None,
        attempt=_attempt(ours.get("attempt") or "1"),
        job_run_id=ours.get("job_run_id") or None,
        transform_output_path=ours.get("transform_output_path") or None,
        platform=platform,
    )


def _split(argv: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    ours: dict[str, str] = {}
    platform: dict[str, str] = {}
    rest = list(argv)
    while rest:
        name, value = _take(rest)
        canonical = ALIASES.get(name, name)
        if name not in KNOWN:
            if not _PLATFORM.match(name):
                raise BadArgumentsError(
                    f"unknown argument --{name}{did_you_mean(f'--{name}', [f'--{known}' for known in KNOWN])}"
                )
            platform[name] = value or ""
        elif value is None:
            raise BadArgumentsError(f"--{name} needs a value")
        elif ours.setdefault(canonical, value) != value:
            raise BadArgumentsError(f"--{canonical} is given twice, with different values")
    return ours, platform


def _take(rest: list[str]) -> tuple[str, str | None]:
    """Remove one argument with its value from the front."""
    first = rest.pop(0)
    if not first.startswith("--"):
        raise BadArgumentsError(f"expected an argument that begins with --, found {first[:40]!r}")
    name, equals, value = first[2:].partition("=")
    if equals:
        return name, value
    if rest and not rest[0].startswith("--"):
        return name, rest.pop(0)
    return name, None


def _time(ours: Mapping[str, str], name: str) -> datetime:
    try:
        return parse_time(ours[name])
    except ValueError as error:
        raise BadArgumentsError(f"--{name} is no time: {ours[name]!r}") from error


def _attempt(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LARGEST_ATTEMPT):
        raise BadArgumentsError(f"--attempt is a number from 1 to {LARGEST_ATTEMPT}, not {text!r}")
    return int(text)
