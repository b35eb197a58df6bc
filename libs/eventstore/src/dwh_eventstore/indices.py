"""Names of indices and which of them an event belongs to."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal

from dwh_contracts.canonical import JsonObject
from dwh_contracts.names import slug

Family = Literal["job", "approval", "effect"]
FAMILIES: tuple[Family, ...] = ("job", "approval", "effect")

LATE = "events-late-v1"
QUARANTINE = "events-quarantine-v1"
EFFECTS = "effects-v1"
DECISIONS = "decisions-v1"
DIGESTS = "event-digests-v1"
REGISTRY = "projection-registry"
CHECKPOINTS = "projection-checkpoints"

JOB_EVENTS = "job-events"
JOB_APPROVALS = "job-approvals"
JOB_LINE_ITEMS = "job-line-items"
JOB_TRIGGERS = "job-triggers"
JOB_ALERTS = "job-alerts"
FIXED_READ_MODELS = (JOB_EVENTS, JOB_APPROVALS, JOB_LINE_ITEMS, JOB_TRIGGERS, JOB_ALERTS)

MOST_JOB_INDICES = 300
SHARED_JOBS = f"{JOB_EVENTS}-_shared"
"""The read model of the jobs beyond; no slug starts with `_`."""

MONTHS_BACK = 2
MONTHS_AHEAD = 2


def month_of(moment: datetime) -> str:
    """`YYYY-MM` in UTC."""
    utc = moment.astimezone(UTC)
    return f"{utc.year:04d}-{utc.month:02d}"


def month_index(family: str, moment: datetime) -> str:
    """The partition of an event of this time."""
    return f"events-{family}-v1-{month_of(moment)}"


def month_pattern(family: str) -> str:
    """All partitions of a family."""
    return f"events-{family}-v1-*"


def months_around(now: datetime) -> Iterator[datetime]:
    """First moments of the months that bootstrap makes: two back, this one, two ahead."""
    now = now.astimezone(UTC)
    current = now.year * 12 + now.month - 1
    for month in range(current - MONTHS_BACK, current + MONTHS_AHEAD + 1):
        yield datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)


def job_read_model(job_name: str) -> str:
    """The read model with a job's own payload, `job-events-<slug>`."""
    return f"{JOB_EVENTS}-{slug(job_name)}"


def physical(model: str, version: int = 1) -> str:
    """The index behind a read model's alias."""
    return f"rm-{model}-v{version:04d}"


def job_indices() -> str:
    """The physical indices of single jobs, as a pattern that leaves the common one out."""
    return f"rm-{JOB_EVENTS}-*-v*"


def aliases_of(description: JsonObject | None) -> dict[str, JsonObject]:
    """The aliases of an index, and what each shows of it, from what `Backend.describe` told."""
    return dict((description or {}).get("aliases") or {})  # type: ignore[arg-type]


def is_shared(index: str) -> bool:
    """Whether jobs share this index."""
    return model_of(index) == SHARED_JOBS


def version_of(index: str) -> int:
    """The version of the index behind a read model."""
    return int(index.rsplit("-v", 1)[1])


def model_of(index: str) -> str:
    """The read model that an index holds a version of."""
    return index.removeprefix("rm-").rsplit("-v", 1)[0]


def versions(model: str, names: Sequence[str]) -> list[str]:
    """Those of the names that are an index of this read model, oldest first."""
    named = re.compile(re.escape(f"rm-{model}-v") + r"\d{4}")
    return sorted(name for name in names if named.fullmatch(name))


def is_month(index: str) -> bool:
    """Whether this is a monthly partition."""
    return any(index.startswith(month_pattern(family)[:-1]) for family in FAMILIES)


def end_of_month(index: str) -> datetime:
    """The moment at which a partition's month is over."""
    year, month = (int(part) for part in index.rsplit("-", 2)[1:])
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
