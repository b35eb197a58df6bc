"""Alert routes: owners, sinks, routes, maintenance and expectations of jobs (alerts.md 7).

A file with a mistake is refused as a whole, like a workflow config. Whether a secret exists and a host is
allowed only the service knows; it passes both in.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from dwh_contracts.names import JobName
from dwh_contracts.quarantine import Refused
from dwh_contracts.reading import decode
from dwh_contracts.workflow import ConfigRefused

BUILT_IN = ("sns-warning", "sns-critical")
SECRET = "secret:"  # noqa: S105 - the prefix of a reference
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, ("", *_MONTHS)),
    (0, 7, _DAYS),
)
_ITEM = re.compile(r"(?:\*|([0-9A-Z]{1,3})(?:-([0-9A-Z]{1,3}))?)(?:/([0-9]{1,2}))?", re.ASCII)


def _cron(text: str) -> str:
    fields = text.upper().split(" ")
    if len(fields) != len(_FIELDS):
        raise ValueError("a cron expression has five fields")
    for field, (lowest, highest, names) in zip(fields, _FIELDS, strict=True):
        if not all(_cron_item(item, lowest, highest, names) for item in field.split(",")):
            raise ValueError(f"no such cron field: {field[:32]!r}")
    return text


def _cron_item(item: str, lowest: int, highest: int, names: tuple[str, ...]) -> bool:
    match = _ITEM.fullmatch(item)
    if match is None or match[3] == "0":
        return False
    ends = [_number(part, names) for part in (match[1], match[2]) if part is not None]
    return all(lowest <= end <= highest for end in ends) and ends == sorted(ends)


def _number(text: str, names: tuple[str, ...]) -> int:
    if text in names:
        return names.index(text)
    return int(text) if text.isdecimal() else -1


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no such time zone: {name[:64]!r}") from error
    return name


Cron = Annotated[str, AfterValidator(_cron)]
Zone = Annotated[str, AfterValidator(_zone)]
Duration = Annotated[str, Field(pattern=r"^[0-9]{1,6}[smhd]$")]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
SecretName = Annotated[str, Field(pattern=r"^secret:[A-Za-z0-9][A-Za-z0-9_./-]*$")]
SeverityName = Literal["info", "warning", "critical"]


class Part(BaseModel):
    """Base: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RouteDefaults(Part):
    """What jobs and routes have unless they say otherwise."""

    owner: str | None = None
    runbook: str | None = None
    group_by: list[str] = ["environment", "owner"]


class JobRoutes(Part):
    """What the file says about one job."""

    owner: str | None = None
    tags: list[str] = Field(default_factory=list)
    empty_window: Literal["expect", "ignore"] | None = None
    hold: Duration | None = None
    severity: dict[str, SeverityName] = Field(default_factory=dict)


class PagerDutySink(Part):
    """Events v2 of one service."""

    type: Literal["pagerduty"]
    routing_key: SecretName
    region: Literal["us", "eu"] = "us"


class SlackSink(Part):
    """An incoming webhook; its address is a secret or stands on the list of allowed hosts."""

    type: Literal["slack"]
    url: str


class WebhookSink(Part):
    """A signed HTTP request."""

    type: Literal["webhook"]
    url: str
    signing_key: SecretName


Sink = Annotated[PagerDutySink | SlackSink | WebhookSink, Field(discriminator="type")]


class Matcher(Part):
    """Every field given must be equal; none given matches everything."""

    job_name: JobName | None = None
    owner: str | None = None
    tag: str | None = None
    severity: SeverityName | None = None
    environment: str | None = None
    rule: str | None = None

    def given(self) -> dict[str, str]:
        """The fields that restrict."""
        return {name: str(value) for name, value in self if value is not None}


class AlertRoute(Part):
    """Matching incidents go to these sinks; the first match ends unless `continue`."""

    model_config = ConfigDict(populate_by_name=True)

    id: Id
    match: Matcher = Matcher()
    sinks: Annotated[list[str], Field(min_length=1)]
    fallback: str | None = None
    goes_on: Annotated[bool, Field(alias="continue")] = False
    digest_window: Duration | None = None


class Maintenance(Part):
    """Matching incidents are silent in this window."""

    id: Id
    cron: Cron
    timezone: Zone
    duration: Duration
    match: Matcher = Matcher()


class Expectation(Part):
    """When a job's runs are due."""

    id: Id
    job_name: JobName
    cron: Cron
    timezone: Zone
    grace: Duration
    missing_after: Duration
    slot_by: Literal["window_end", "window_start", "timestamp"]


class AlertRoutes(Part):
    """The whole file; the two built-in routes come after `routes`."""

    version: Literal["1.0"]
    defaults: RouteDefaults = RouteDefaults()
    jobs: dict[JobName, JobRoutes] = Field(default_factory=dict)
    sinks: dict[Id, Sink] = Field(default_factory=dict)
    routes: list[AlertRoute] = Field(default_factory=list)
    maintenance: list[Maintenance] = Field(default_factory=list)
    expectations: list[Expectation] = Field(default_factory=list)


def load_alert_routes(
    raw: bytes, *, secrets: Collection[str] | None = None, hosts: Collection[str] | None = None
) -> AlertRoutes:
    """Read a routes file.

    Args:
        raw: the file.
        secrets: names of secrets that exist; not checked when None.
        hosts: hosts or `*.` patterns that may be called; not checked when None.

    Raises:
        ConfigRefused: with every problem's path and reason.
    """
    try:
        routes = AlertRoutes.model_validate(decode(raw))
    except Refused as refused:
        raise ConfigRefused([("", f"{refused.reason}: {refused.detail}")]) from None
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise ConfigRefused(
            [(".".join(map(str, it["loc"])), it["msg"].removeprefix("Value error, ")) for it in details]
        ) from None
    problems = [*_doubled(routes), *_unknown(routes), *_addresses(routes, secrets, hosts), *_never(routes)]
    if problems:
        raise ConfigRefused(problems)
    return routes


def _doubled(routes: AlertRoutes) -> Iterator[tuple[str, str]]:
    parts: Mapping[str, list[str]] = {
        "routes": [*BUILT_IN, *(route.id for route in routes.routes)],
        "maintenance": [window.id for window in routes.maintenance],
        "expectations": [expectation.id for expectation in routes.expectations],
    }
    for name, ids in parts.items():
        for part_id, count in Counter(ids).items():
            if count > 1:
                yield name, f"the id {part_id!r} stands twice"


def _unknown(routes: AlertRoutes) -> Iterator[tuple[str, str]]:
    known = {*routes.sinks, *BUILT_IN}
    for index, route in enumerate(routes.routes):
        for place, sink in enumerate(route.sinks):
            if sink not in known:
                yield f"routes.{index}.sinks.{place}", f"no such sink: {sink!r}"
        if route.fallback is not None and route.fallback not in known:
            yield f"routes.{index}.fallback", f"no such sink: {route.fallback!r}"


def _addresses(
    routes: AlertRoutes, secrets: Collection[str] | None, hosts: Collection[str] | None
) -> Iterator[tuple[str, str]]:
    for name, sink in routes.sinks.items():
        for field, value in sink:
            path = f"sinks.{name}.{field}"
            if value.startswith(SECRET):
                if secrets is not None and value.removeprefix(SECRET) not in secrets:
                    yield path, "no such secret"
            elif field == "url" and (reason := _address_problem(value, hosts)) is not None:
                yield path, reason


def _address_problem(url: str, hosts: Collection[str] | None) -> str | None:
    try:
        parts = urlsplit(url)
        plain = parts.scheme == "https" and parts.port in {None, 443} and "@" not in parts.netloc
    except ValueError:
        return "no address"
    host = parts.hostname
    if not plain or not host:
        return "an address is https, port 443, without user"
    if hosts is not None and not any(fnmatchcase(host, pattern) for pattern in hosts):
        return f"the host {host} is not allowed"
    return None


def _never(routes: AlertRoutes) -> Iterator[tuple[str, str]]:
    """Routes behind one that takes all of theirs, or whose job has another owner or no such tag."""
    for index, route in enumerate(routes.routes):
        wanted = route.match.given().items()
        for earlier in routes.routes[:index]:
            if not earlier.goes_on and earlier.match.given().items() <= wanted:
                yield f"routes.{index}", f"can never match: {earlier.id} takes everything before"
                break
        if route.match.job_name is not None and not _possible(routes, route.match, route.match.job_name):
            yield (
                f"routes.{index}.match",
                f"can never match: {route.match.job_name} has another owner or tags",
            )


def _possible(routes: AlertRoutes, match: Matcher, job_name: str) -> bool:
    job = routes.jobs.get(job_name, JobRoutes())
    owner = job.owner or routes.defaults.owner
    return match.owner in {None, owner} and (match.tag is None or match.tag in job.tags)
