"""CloudEvents 1.0, structured JSON: what we send to others, and the unwrapping of what they send."""

from dwh_contracts.canonical import JsonObject
from dwh_contracts.quarantine import QuarantineReason, Refused

SPEC_VERSION = "1.0"


def is_cloud_event(value: JsonObject) -> bool:
    """Does `value` claim to be a CloudEvent?"""
    return "specversion" in value


def to_cloud_event(body: JsonObject) -> JsonObject:
    """`body` as the data of a CloudEvent."""
    return {
        "specversion": SPEC_VERSION,
        "id": body["event_id"],
        "source": f"dwh/{body['environment']}/{body.get('job_name')}",
        "type": f"dwh.{body['event_type']}.v1",
        "time": body["timestamp"],
        "subject": body.get("job_run_id"),
        "datacontenttype": "application/json",
        "data": body,
    }


def unwrap(value: JsonObject) -> JsonObject:
    """The event inside a CloudEvent.

    Raises:
        Refused: no 1.x, or without an object as data.
    """
    version = value["specversion"]
    if not isinstance(version, str):
        raise Refused(QuarantineReason.WRONG_TYPE, "specversion", "a version is a string")
    if version.partition(".")[0] != "1":
        raise Refused(QuarantineReason.UNSUPPORTED_VERSION, "specversion", "only CloudEvents 1.x is read")
    if "data" not in value:
        raise Refused(QuarantineReason.MISSING_FIELD, "data", "a CloudEvent without data")
    data = value["data"]
    if not isinstance(data, dict):
        raise Refused(QuarantineReason.WRONG_TYPE, "data", "data is an object")
    return data
