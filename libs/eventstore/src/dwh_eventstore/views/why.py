"""Why a DAG did or did not start for a run: one sentence, and every rule that was evaluated."""

from dataclasses import dataclass, field
from typing import Any

from dwh_contracts.canonical import JsonObject

from dwh_eventstore import indices
from dwh_eventstore.store import Store
from dwh_eventstore.views.runs import show_run

_SERVICE = "orchestrator"


@dataclass(frozen=True, slots=True)
class WhyAnswer:
    """The answer to `why`."""

    started: bool
    """True when a DAG run is known to exist."""
    situation: str
    """never_received, not_recorded, waiting_for_approval, not_accepted, no_rule, clause_false, min_quality,
    trigger_failed, trigger_skipped, not_sent, in_queue, dag_run."""
    sentence: str
    rules: list[JsonObject] = field(default_factory=list)
    config_version: str | None = None
    trigger: JsonObject | None = None

    def as_json(self) -> JsonObject:
        """The form that `--json` prints."""
        return {
            "started": self.started,
            "situation": self.situation,
            "sentence": self.sentence,
            "rules": list(self.rules),
            "config_version": self.config_version,
            "trigger": self.trigger,
        }


async def why(store: Store, dag_id: str, job_name: str, job_run_id: str) -> WhyAnswer:
    """Why `dag_id` did or did not start after this run (its newest attempt)."""
    run = await show_run(store, job_name, job_run_id)
    if run is None or not run["known"]:
        return WhyAnswer(
            started=False,
            situation="never_received",
            sentence=f"No event of {job_name} {job_run_id} was ever received.",
        )
    where: JsonObject = {
        "environment": store.environment,
        "job_name": job_name,
        "job_run_id": job_run_id,
        "attempt": run["attempt"],
    }
    page = await store.read_models.search(indices.JOB_TRIGGERS, where | {"target": dag_id}, limit=10)
    records = await store.events.find(
        "effect", where | {"event_type": "decision_recorded", "service": _SERVICE}
    )
    bodies = [record.body for record in records]
    rules = _rules(bodies)
    version = next(
        (str(body["config_version"]) for body in reversed(bodies) if body.get("config_version")), None
    )
    if page.items:
        trigger = min(page.items, key=_most_telling)
        started, situation, sentence = _of_trigger(trigger, dag_id)
        return WhyAnswer(started, situation, sentence, rules, version, trigger)
    situation, sentence = _not_triggered(bodies, rules, run, dag_id)
    return WhyAnswer(
        started=False, situation=situation, sentence=sentence, rules=rules, config_version=version
    )


def _rules(bodies: list[JsonObject]) -> list[JsonObject]:
    """Every evaluated rule with its target, in the order of the decisions."""
    rules: list[JsonObject] = []
    for body in bodies:
        listed: Any = body.get("rules") or []
        triggers: Any = body.get("triggers") or []
        targets = {each.get("rule_id"): each.get("target") for each in triggers}
        rules += [{"target": targets.get(rule.get("rule_id")), **rule} for rule in listed]
    return rules


_TELLING = ("sent", "failed", "skipped", "requested")


def _most_telling(trigger: JsonObject) -> tuple[bool, int]:
    return trigger["dag_run_id"] is None, _TELLING.index(str(trigger["outcome"]))


def _of_trigger(trigger: JsonObject, dag_id: str) -> tuple[bool, str, str]:
    rule = f"rule {trigger['rule_id']} of {trigger['trigger_set']}"
    if trigger["dag_run_id"] is not None:
        state = trigger["dag_run_state"]
        return (
            True,
            "dag_run",
            f"{dag_id} started: {rule} matched, DAG run {trigger['dag_run_id']} is {state}.",
        )
    match trigger["outcome"]:
        case "failed":
            sentence = f"{rule} matched, but the trigger of {dag_id} failed: {trigger['error']}."
            return False, "trigger_failed", _capital(sentence)
        case "skipped":
            sentence = f"{rule} matched, but the trigger of {dag_id} was skipped: {trigger['error']}."
            return False, "trigger_skipped", _capital(sentence)
        case "sent":
            sentence = (
                f"{rule} matched and the trigger of {dag_id} was sent, but no DAG run is known yet: its "
                "message waits in mwaa-triggers or lies in the dead-letter queue."
            )
            return False, "in_queue", _capital(sentence)
        case _:
            sentence = f"{rule} matched and the trigger of {dag_id} was requested, but it is not sent yet."
            return False, "not_sent", _capital(sentence)


def _not_triggered(
    bodies: list[JsonObject], rules: list[JsonObject], run: JsonObject, dag_id: str
) -> tuple[str, str]:
    name = f"{run['job_name']} {run['job_run_id']}"
    if not bodies:
        return "not_recorded", f"{name} is stored, but the orchestrator has recorded no decision on it yet."
    refused = next((rule for rule in rules if rule.get("target") == dag_id and not rule["matched"]), None)
    if refused is not None:
        return _unmatched(refused, dag_id)
    status = run["approval_status"]
    situations = [body.get("situation") for body in bodies]
    if "waiting_for_approval" in situations and status in {None, "PENDING"} and len(bodies) == 1:
        return "waiting_for_approval", f"{dag_id} did not start: {name} is RED and waits for approval."
    reason = bodies[-1].get("reason")
    if status in {"REJECTED", "EXPIRED"}:
        return "not_accepted", f"{dag_id} did not start: {name} is {status} by {run['approved_by']}."
    if situations[-1] == "ignored":
        return "not_accepted", f"{dag_id} did not start: {reason}."
    return "no_rule", f"{dag_id} did not start: no rule of {situations[-1]} names it ({reason})."


def _unmatched(rule: JsonObject, dag_id: str) -> tuple[str, str]:
    clause, value = str(rule.get("clause")), rule.get("value")
    situation = "min_quality" if clause.startswith("min_quality") else "clause_false"
    sentence = f"{dag_id} did not start: rule {rule['rule_id']} did not match, {clause} was {value}."
    return situation, sentence


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
