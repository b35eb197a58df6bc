"""Map fields of a stored run to parameters of a trigger.

Expressions see `{job, approval, run}`: the stored job event, the accepted decision or null, and the run's
environment, stream and attempt. Null and missing leave the parameter out; 0, false and "" are passed.
"""

from collections.abc import Mapping

from dwh_contracts.canonical import JsonObject
from dwh_contracts.parse import Event
from dwh_contracts.workflow import ParameterPath, Rule, evaluate


class MissingParameter(Exception):  # noqa: N818 - named for the broken rule
    """A required parameter has no value in this run; `args` name it and its expression."""

    def __init__(self, target: str, path: str) -> None:
        super().__init__(f"required parameter {target} is missing: {path} has no value in this run")


def context_of(run: Event, approval: JsonObject | None) -> JsonObject:
    """What expressions may see, for one run and its accepted decision."""
    return {
        "job": run.body,
        "approval": approval,
        "run": {"environment": run.environment, "stream": run.stream, "attempt": run.attempt},
    }


def map_parameters(mapping: Mapping[str, ParameterPath], context: JsonObject) -> JsonObject:
    """Values of the mapped parameters that have one.

    Raises:
        MissingParameter: a required one has neither value nor default.
    """
    values: JsonObject = {}
    for target, parameter in mapping.items():
        value = evaluate(parameter.path, context)
        if value is None:
            value = parameter.default
        if value is not None:
            values[target] = value
        elif parameter.required:
            raise MissingParameter(target, parameter.path)
    return values


def reserved(run: Event, trigger_id: str, approval: JsonObject | None) -> JsonObject:
    """Parameters that nothing overwrites: who triggered, and which audited data."""
    values: JsonObject = {
        "triggered_by_job": run.job_name,
        "triggered_by_run_id": run.job_run_id,
        "trigger_id": trigger_id,
    }
    manifest = run.body.get("artifacts_manifest")
    if isinstance(manifest, dict):
        values["source_artifacts"] = {
            "uri": manifest.get("uri"),
            "sha256": manifest.get("sha256"),
            "decision_event_id": approval.get("event_id") if approval else None,
        }
    return values


def conf_of(rule: Rule, run: Event, approval: JsonObject | None, trigger_id: str) -> JsonObject:
    """The whole `conf` of a trigger: static values, overlaid by mapped ones, then the reserved."""
    mapped = map_parameters(rule.parameter_mapping, context_of(run, approval))
    return {**rule.conf, **mapped, **reserved(run, trigger_id, approval)}
