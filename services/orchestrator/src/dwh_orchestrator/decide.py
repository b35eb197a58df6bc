"""Which triggers follow from an event, and why.

Pure: the event, the stored run, the accepted decision and the config in force go in, a decision comes out.
Every rule of the set that applies leaves an outcome, matched or not, with the clause that decided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, cast

from dwh_contracts import ids
from dwh_contracts.canonical import JsonObject, JsonValue
from dwh_contracts.events import JobCompleted
from dwh_contracts.parse import Event
from dwh_contracts.workflow import Rule, Workflow, WorkflowConfig, evaluate

from dwh_orchestrator.mapping import MissingParameter, conf_of, context_of

QUALITY_RANK = {"RED": 0, "YELLOW": 1, "GREEN": 2}
MIN_QUALITY_RANK = {"ANY": 0, "YELLOW": 1, "GREEN": 2}


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """One evaluated rule: did it match, and which clause decided with which value."""

    rule_id: str
    trigger_set: str
    target: str
    matched: bool
    clause: str
    value: JsonValue

    def as_json(self) -> JsonObject:
        """The form that the decision record keeps."""
        return {
            "rule_id": self.rule_id,
            "trigger_set": self.trigger_set,
            "target": self.target,
            "matched": self.matched,
            "clause": self.clause,
            "value": self.value,
        }


@dataclass(frozen=True, slots=True)
class PlannedTrigger:
    """A trigger as it is recorded before it is sent; `error` when it can never be sent."""

    trigger_id: str
    rule_id: str
    trigger_set: str
    type: str
    target: str
    conf: JsonObject
    delay_seconds: int = 0
    queue_url: str | None = None
    max_attempts: int = 5
    error: str | None = None

    def as_json(self) -> JsonObject:
        """The form that the decision record keeps; `from_json` reads it back."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, recorded: Mapping[str, Any]) -> Self:
        """A trigger out of a stored decision record."""
        return cls(**{name: recorded[name] for name in cls.__slots__ if name in recorded})


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from one event: the situation in a word, the reason in a sentence, rules and triggers."""

    situation: str
    reason: str
    rules: Sequence[RuleOutcome] = field(default_factory=tuple)
    triggers: Sequence[PlannedTrigger] = field(default_factory=tuple)


def ignore(reason: str) -> Decision:
    """Nothing follows, and the record says why."""
    return Decision("ignored", reason)


def decide_run(run: Event, config: WorkflowConfig) -> Decision:
    """What follows from a stored run itself, before any decision of a person."""
    status = run.body.get("status")
    if status == "PENDING_APPROVAL":
        return Decision("waiting_for_approval", "the run is RED: nothing starts before it is approved")
    if status == "FAILED":
        return _apply("on_failure", "the run failed", run, None, config)
    return _apply("on_success", "the run succeeded", run, None, config)


def decide_approval(run: Event, accepted: JsonObject, config: WorkflowConfig) -> Decision:
    """What follows from the accepted decision on a run.

    Args:
        run: the stored job event that was decided on.
        accepted: the winning event, as the decision claim holds it.
        config: the workflow config in force.
    """
    decision, decided_by = accepted.get("decision"), str(accepted.get("decided_by"))
    if run.body.get("status") != "PENDING_APPROVAL":
        return ignore(f"the run is {run.body.get('status')}, not PENDING_APPROVAL")
    if decision == "APPROVED":
        return _apply("on_approval", f"approved by {decided_by}", run, accepted, config)
    if decided_by == "system:superseded":
        return ignore("a newer attempt of the run took its place")
    verb = "rejected" if decision == "REJECTED" else "expired"
    return _apply("on_rejection", f"{verb}, {decided_by}", run, accepted, config)


def _apply(
    trigger_set: str, cause: str, run: Event, approval: JsonObject | None, config: WorkflowConfig
) -> Decision:
    workflow = config.workflows.get(run.job_name)
    if workflow is None:
        return Decision(trigger_set, f"{cause}; the config has no workflow for {run.job_name}")
    rules = rules_of(workflow, trigger_set)
    outcomes = [_evaluate(rule, trigger_set, run, approval) for rule in rules]
    triggers = [
        _plan(rule, trigger_set, run, approval)
        for rule, outcome in zip(rules, outcomes, strict=True)
        if outcome.matched
    ]
    return Decision(trigger_set, f"{cause}; {_counted(outcomes)}", outcomes, triggers)


def rules_of(workflow: Workflow, trigger_set: str) -> Sequence[Rule]:
    """The rules that apply: a missing `on_approval` means those of `on_success`, an empty one means none."""
    if trigger_set == "on_approval":
        return workflow.on_success if workflow.on_approval is None else workflow.on_approval
    rules: Sequence[Rule] = getattr(workflow, trigger_set)
    return rules


def _counted(outcomes: Sequence[RuleOutcome]) -> str:
    matched = sum(outcome.matched for outcome in outcomes)
    return f"{matched} of {len(outcomes)} rules matched"


def _evaluate(rule: Rule, trigger_set: str, run: Event, approval: JsonObject | None) -> RuleOutcome:
    quality = quality_of(run)
    if rule.min_quality != "ANY" and QUALITY_RANK[quality] < MIN_QUALITY_RANK[rule.min_quality]:
        return RuleOutcome(
            rule.id, trigger_set, rule.target, False, f"min_quality {rule.min_quality}", quality
        )
    if rule.when is not None:
        value = evaluate(rule.when, context_of(run, approval))
        matched = truthy(value)
        return RuleOutcome(rule.id, trigger_set, rule.target, matched, f"when {rule.when}", value)
    return RuleOutcome(rule.id, trigger_set, rule.target, True, "always", None)


def quality_of(run: Event) -> str:
    """The run's own quality; one that was not evaluated counts as YELLOW."""
    quality = cast("JobCompleted", run.model).quality
    return quality.status.value if quality.evaluated else "YELLOW"


def truthy(value: object) -> bool:
    """JMESPath's truth: false, null and empty are false, 0 is true."""
    return not (value is None or value is False or (isinstance(value, str | list | dict) and not value))


def _plan(rule: Rule, trigger_set: str, run: Event, approval: JsonObject | None) -> PlannedTrigger:
    trigger_id = ids.trigger_id(
        run.environment, run.job_name, run.job_run_id, run.attempt, trigger_set, rule.id
    )
    conf: JsonObject = {}
    error = None
    try:
        conf = conf_of(rule, run, approval, trigger_id)
    except MissingParameter as missing:
        error = str(missing)
    return PlannedTrigger(
        trigger_id=trigger_id,
        rule_id=rule.id,
        trigger_set=trigger_set,
        type=rule.type,
        target=rule.target,
        conf=conf,
        delay_seconds=rule.delay_seconds,
        queue_url=getattr(rule, "queue_url", None),
        max_attempts=rule.max_attempts,
        error=error,
    )
