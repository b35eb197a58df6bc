"""OpenLineage run events out of job events (contracts.md 13)."""

import uuid

from dwh_contracts.canonical import JsonObject
from dwh_contracts.events import Artifact, Check, JobCompleted, JobStarted, QualityStatus, Status
from dwh_contracts.parse import Event

PRODUCER = "urn:dwh:contracts"
_SCHEMAS = "https://openlineage.io/spec"
_SEVERITY = {QualityStatus.RED: "error", QualityStatus.YELLOW: "warn"}


def run_uuid(stream: str, attempt: int) -> str:
    """The same run and attempt are the same run of OpenLineage."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"dwh:{stream}/{attempt}"))


def to_openlineage(event: Event) -> JsonObject:
    """The run event that says the same as `event`.

    Raises:
        TypeError: `event` is neither job_started nor job_completed.
    """
    model = event.model
    if isinstance(model, JobStarted):
        return _run_event(event, "START", {}, [])
    if not isinstance(model, JobCompleted):
        raise TypeError(f"no run event: {event.event_type}")
    facets: JsonObject = {}
    if model.error is not None:
        facets["errorMessage"] = {
            **_facet("1-0-1/ErrorMessageRunFacet.json"),
            "message": model.error.message or model.error.type,
            "programmingLanguage": "python",
            "stackTrace": model.error.stack_trace,
        }
    outputs = [_output(event.environment, artifact, model.quality.checks) for artifact in model.artifacts]
    return _run_event(event, "FAIL" if model.status is Status.FAILED else "COMPLETE", facets, outputs)


def _run_event(event: Event, event_type: str, facets: JsonObject, outputs: list[JsonObject]) -> JsonObject:
    namespace = f"dwh.{event.environment}"
    cause = event.model.causation_id
    if cause is not None:
        facets["parent"] = {
            **_facet("1-0-1/ParentRunFacet.json"),
            "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"dwh:{cause}"))},
            "job": {"namespace": namespace, "name": cause},
        }
    return {
        "eventType": event_type,
        "eventTime": event.body["timestamp"],
        "producer": PRODUCER,
        "schemaURL": f"{_SCHEMAS}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run_uuid(event.stream, event.attempt), "facets": facets},
        "job": {"namespace": namespace, "name": event.job_name},
        "inputs": [],
        "outputs": list(outputs),
    }


def _output(environment: str, artifact: Artifact, checks: list[Check]) -> JsonObject:
    statistics: JsonObject = {
        **_facet("1-0-2/OutputStatisticsOutputDatasetFacet.json"),
        "rowCount": artifact.records,
        "size": artifact.bytes,
    }
    output: JsonObject = {
        "namespace": f"dwh.{environment}",
        "name": artifact.path,
        "outputFacets": {"outputStatistics": statistics},
    }
    if checks:
        output["inputFacets"] = {
            "dataQualityAssertions": {
                **_facet("1-0-1/DataQualityAssertionsDatasetFacet.json"),
                "assertions": [_assertion(check) for check in checks],
            }
        }
    return output


def _assertion(check: Check) -> JsonObject:
    assertion: JsonObject = {"assertion": check.name, "success": check.status is QualityStatus.GREEN}
    if check.status in _SEVERITY:
        assertion["severity"] = _SEVERITY[check.status]
    return assertion


def _facet(schema: str) -> JsonObject:
    return {"_producer": PRODUCER, "_schemaURL": f"{_SCHEMAS}/facets/{schema}"}
