"""Workflow config: what follows from a run of each job (contracts.md 11).

`load_workflow_config` reads version 2 and the original form, version 1, into one model. A file with a
mistake is refused as a whole, every mistake with its path, so that it never replaces a good one.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)

from dwh_contracts.canonical import JsonObject
from dwh_contracts.names import RunId
from dwh_contracts.quarantine import Refused
from dwh_contracts.reading import decode
from dwh_contracts.triggers import RESERVED
from dwh_contracts.workflow_v1 import normalised

RULE_LISTS = ("on_success", "on_approval", "on_rejection", "on_failure")


class ConfigRefused(Exception):  # noqa: N818 - what happened to the file
    """The file is not put in force; `problems` are (path, reason)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {reason}" if path else reason for path, reason in problems))
        self.problems = problems


@lru_cache(maxsize=4096)
def compile_expression(expression: str) -> ParsedResult:
    """A compiled JMESPath expression.

    Raises:
        ValueError: it does not compile.
    """
    try:
        return jmespath.compile(expression)
    except JMESPathError as error:
        raise ValueError(f"does not compile: {str(error).splitlines()[0]}") from error


def evaluate(expression: str, context: JsonObject) -> JsonValue:
    """The value of an expression; null where a function meets a type it does not take."""
    try:
        return compile_expression(expression).search(context)  # type: ignore[no-any-return]
    except JMESPathError:
        return None


class Part(BaseModel):
    """Base: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ParameterPath(Part):
    """Where a parameter's value comes from."""

    path: str
    required: bool = False
    default: JsonValue = None

    @field_validator("path")
    @classmethod
    def _compiles(cls, path: str) -> str:
        compile_expression(path)
        return path


class Rule(Part):
    """One trigger and the conditions under which it is sent; `target` names what it starts."""

    id: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f|]+$")]
    type: Literal["sqs_mwaa", "glue_job", "step_function", "eventbridge", "mwaa_rest"]
    description: str | None = None
    when: str | None = None
    min_quality: Literal["ANY", "YELLOW", "GREEN"] = "ANY"
    conf: dict[str, JsonValue] = Field(default_factory=dict)
    parameter_mapping: dict[str, ParameterPath] = Field(default_factory=dict)
    delay_seconds: Annotated[int, Field(ge=0, le=900)] = 0
    not_before: str | None = None
    max_attempts: Annotated[int, Field(ge=1, le=50)] = 5
    dag_id: RunId | None = None
    queue_url: str | None = None
    job_name: str | None = None
    arguments: dict[str, str] = Field(default_factory=dict)
    arn: str | None = None
    event_bus: str = "default"
    detail_type: str = "Job Downstream Trigger"
    source: str = "dwh.orchestrator"
    environment_name: str | None = None
    region: str | None = None

    @field_validator("parameter_mapping", mode="before")
    @classmethod
    def _short_form(cls, mapping: Any) -> Any:
        if not isinstance(mapping, Mapping):
            return mapping
        return {name: {"path": value} if isinstance(value, str) else value for name, value in mapping.items()}

    @field_validator("when")
    @classmethod
    def _condition_compiles(cls, when: str | None) -> str | None:
        if when is not None:
            compile_expression(when)
        return when

    @model_validator(mode="after")
    def _fields_of_the_type(self) -> "Rule":
        missing = [name for name in TYPE_FIELDS[self.type].required if getattr(self, name) is None]
        if missing:
            raise ValueError(f"a {self.type} rule needs {', '.join(missing)}")
        foreign = sorted(self.model_fields_set & ALL_TYPE_FIELDS - TYPE_FIELDS[self.type].allowed)
        if foreign:
            raise ValueError(f"a {self.type} rule has no {', '.join(foreign)}")
        return self

    @property
    def target(self) -> str:
        """What the trigger starts: DAG, Glue job, state machine or detail type."""
        return str(getattr(self, TYPE_FIELDS[self.type].target))


@dataclass(frozen=True)
class TypeFields:
    """Fields of one trigger type."""

    target: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def allowed(self) -> frozenset[str]:
        """Every field this type may have."""
        return frozenset((*self.required, *self.optional))


TYPE_FIELDS = {
    "sqs_mwaa": TypeFields("dag_id", ("dag_id",), ("queue_url",)),
    "glue_job": TypeFields("job_name", ("job_name",), ("arguments",)),
    "step_function": TypeFields("arn", ("arn",)),
    "eventbridge": TypeFields("detail_type", (), ("event_bus", "detail_type", "source")),
    "mwaa_rest": TypeFields("dag_id", ("dag_id", "environment_name"), ("region",)),
}
ALL_TYPE_FIELDS = frozenset(name for fields in TYPE_FIELDS.values() for name in fields.allowed)


class Approval(Part):
    """Who may decide on a RED run, and for how long (approvals.md 5)."""

    approvers: Annotated[list[str], Field(min_length=1)] = ["group:dwh-approvers"]
    four_eyes: bool = True
    required: Annotated[int, Field(ge=1, le=5)] = 1
    expires_after_hours: Annotated[float, Field(ge=0.05, le=720)] = 72
    on_expiry: Literal["REJECT", "ESCALATE"] = "REJECT"
    escalate_to: list[str] | None = None
    accept_unverified: bool = False
    require_manifest: bool = False

    @field_validator("approvers")
    @classmethod
    def _named(cls, approvers: list[str]) -> list[str]:
        if bad := [name for name in approvers if not name.startswith(("group:", "user:"))]:
            raise ValueError(f"an approver is group:<name> or user:<name>, not {bad[0]!r}")
        return approvers

    @model_validator(mode="after")
    def _escalation(self) -> "Approval":
        if self.on_expiry == "ESCALATE" and not self.escalate_to:
            raise ValueError("on_expiry ESCALATE needs escalate_to")
        return self


class Join(Part):
    """Start one rule when several jobs are done for one business key."""

    id: str
    jobs: Annotated[list[str], Field(min_length=2)]
    key: str
    then: Rule
    at_least: Annotated[int, Field(ge=1)] | None = None
    timeout_hours: Annotated[float, Field(gt=0, le=720)] | None = None
    on_timeout: Literal["skip", "trigger", "alert"] = "skip"
    on_rerun: Literal["once", "again"] = "once"

    @model_validator(mode="after")
    def _sound(self) -> "Join":
        compile_expression(self.key)
        if self.at_least is not None and self.at_least > len(self.jobs):
            raise ValueError("at_least is more than there are jobs")
        return self


class Workflow(Part):
    """What follows from runs of one job."""

    description: str | None = None
    owner: str | None = None
    tags: list[str] = Field(default_factory=list)
    approval: Approval = Approval()
    on_success: list[Rule] = Field(default_factory=list)
    on_approval: list[Rule] | None = None
    on_rejection: list[Rule] = Field(default_factory=list)
    on_failure: list[Rule] = Field(default_factory=list)
    joins: list[Join] = Field(default_factory=list)
    started_by: list[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping):
            return raw
        workflow = dict(raw)
        if workflow.get("on_approval") == "same_as:on_success":
            workflow["on_approval"] = workflow.get("on_success", [])
        for name in RULE_LISTS:
            if isinstance(workflow.get(name), list):
                workflow[name] = [_with_id(rule, index) for index, rule in enumerate(workflow[name])]
        if isinstance(workflow.get("joins"), list):
            workflow["joins"] = [_with_rule_id(join, index) for index, join in enumerate(workflow["joins"])]
        return workflow

    def rules(self) -> Iterator[Rule]:
        """Every rule of every list and join."""
        for name in RULE_LISTS:
            yield from getattr(self, name) or []
        yield from (join.then for join in self.joins)


def _with_id(rule: Any, index: int) -> Any:
    if not isinstance(rule, Mapping) or "id" in rule:
        return rule
    return {**rule, "id": f"{rule.get('type')}-{index}"}


def _with_rule_id(join: Any, index: int) -> Any:
    if not isinstance(join, Mapping) or "then" not in join:
        return join
    return {**join, "then": _with_id(join["then"], index)}


class Defaults(Part):
    """What rules have unless they say otherwise."""

    queue: str = "mwaa-triggers"
    max_attempts: Annotated[int, Field(ge=1, le=50)] = 5


class WorkflowConfig(Part):
    """The whole file, in the form of version 2."""

    version: Literal["2.0"]
    description: str | None = None
    defaults: Defaults = Defaults()
    workflows: dict[str, Workflow]


@dataclass(frozen=True)
class LoadedConfig:
    """A good config and what its author should know."""

    config: WorkflowConfig
    warnings: list[str]


def load_workflow_config(raw: bytes) -> LoadedConfig:
    """Read a config file of version 1 or 2.

    Raises:
        ConfigRefused: with every problem's path and reason.
    """
    try:
        body = decode(raw)
    except Refused as refused:
        raise ConfigRefused([("", f"{refused.reason}: {refused.detail}")]) from None
    version = body.get("version", "1.0")
    warnings: list[str] = []
    if version == "1.0":
        body, warnings = normalised(body, RESERVED, _compiles, KNOWN)
    elif version != "2.0":
        raise ConfigRefused([("version", f"1.0 and 2.0 are known, not {version!r}")])
    try:
        config = WorkflowConfig.model_validate(_with_default_attempts(body))
    except ValidationError as error:
        raise ConfigRefused([_problem(detail) for detail in error.errors(include_url=False)]) from None
    problems = [*_doubled(body), *_reserved_targets(config), *_cycles(config)]
    if problems:
        raise ConfigRefused(problems)
    return LoadedConfig(config, [*warnings, *_unstarted(config)])


KNOWN = {"workflow": frozenset(Workflow.model_fields), "rule": frozenset(Rule.model_fields)}
"""Keys that version 1 may have; it ignores others with a warning, version 2 refuses them."""


def _raw_rules(workflow: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every rule as written, with its path below the workflow."""
    for name in RULE_LISTS:
        rules = workflow.get(name)
        for index, rule in enumerate(rules if isinstance(rules, list) else []):
            if isinstance(rule, dict):
                yield f"{name}.{index}", rule
    joins = workflow.get("joins")
    for index, join in enumerate(joins if isinstance(joins, list) else []):
        if isinstance(join, dict) and isinstance(join.get("then"), dict):
            yield f"joins.{index}.then", join["then"]


def _with_default_attempts(body: JsonObject) -> JsonObject:
    """The file with `defaults.max_attempts` in every rule that says nothing of it."""
    defaults, workflows = body.get("defaults"), body.get("workflows")
    if not isinstance(defaults, dict) or "max_attempts" not in defaults or not isinstance(workflows, dict):
        return body
    filled = copy.deepcopy(workflows)
    for workflow in filled.values():
        for _, rule in _raw_rules(workflow) if isinstance(workflow, dict) else ():
            rule.setdefault("max_attempts", defaults["max_attempts"])
    return {**body, "workflows": filled}


def _doubled(body: JsonObject) -> Iterator[tuple[str, str]]:
    """Ids that stand twice: given ones in the workflow, those by default in their list."""
    workflows: Any = body["workflows"]
    for job, workflow in workflows.items():
        yield from _doubled_in(f"workflows.{job}", workflow)


def _doubled_in(at: str, workflow: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    given = [(path, rule["id"]) for path, rule in _raw_rules(workflow) if "id" in rule]
    seen: set[str] = set()
    for path, rule_id in given:
        if rule_id in seen:
            yield f"{at}.{path}.id", f"the id {rule_id!r} stands twice"
        seen.add(rule_id)
    for path, rule in _raw_rules(workflow):
        if "id" not in rule and f"{rule['type']}-{path.removesuffix('.then').rpartition('.')[2]}" in seen:
            yield f"{at}.{path}", "its id by default is the given id of another rule"
    joins = [join["id"] for join in workflow.get("joins", [])]
    for index, join_id in enumerate(joins):
        if join_id in joins[:index]:
            yield f"{at}.joins.{index}.id", f"the id {join_id!r} stands twice"


def _compiles(expression: str) -> bool:
    try:
        compile_expression(expression)
    except ValueError:
        return False
    return True


def _problem(detail: Any) -> tuple[str, str]:
    path = ".".join(str(part) for part in detail["loc"])
    return path, str(detail["msg"]).removeprefix("Value error, ")


def _reserved_targets(config: WorkflowConfig) -> Iterator[tuple[str, str]]:
    for job, workflow in config.workflows.items():
        for rule in workflow.rules():
            for name in (*rule.parameter_mapping, *rule.conf):
                if name in RESERVED:
                    yield f"workflows.{job}.{rule.id}.{name}", "is set by the system and cannot be mapped"


def _cycles(config: WorkflowConfig) -> list[tuple[str, str]]:
    """Jobs that start themselves in the end, by `started_by`."""
    started: dict[str, list[str]] = {}
    for job, workflow in config.workflows.items():
        for target in workflow.started_by:
            started.setdefault(target, []).append(job)
    follows: dict[str, list[str]] = {job: [] for job in config.workflows}
    for job, workflow in config.workflows.items():
        for rule in workflow.rules():
            follows[job] += started.get(rule.target, [])
        for join in workflow.joins:
            for other in join.jobs:
                follows.setdefault(other, []).extend(started.get(join.then.target, []))
    problems = []
    for job in follows:
        path = _path_back(job, follows)
        if path and job == min(path):
            problems.append((f"workflows.{job}", f"starts itself: {' → '.join([*path, job])}"))
    return problems


def _path_back(start: str, follows: Mapping[str, list[str]]) -> list[str]:
    stack: list[list[str]] = [[start]]
    seen: set[str] = set()
    while stack:
        path = stack.pop()
        for following in follows.get(path[-1], []):
            if following == start:
                return path
            if following not in seen:
                seen.add(following)
                stack.append([*path, following])
    return []


def _unstarted(config: WorkflowConfig) -> list[str]:
    return [
        f"workflows.{job}: without started_by a cycle through this job cannot be found"
        for job, workflow in config.workflows.items()
        if not workflow.started_by
    ]
