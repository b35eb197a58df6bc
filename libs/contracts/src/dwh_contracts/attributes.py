"""Message attributes and subject (contracts.md 3.3): for filters only, services decide on the body."""

from dwh_contracts.canonical import JsonObject

_COMMON = ("event_type", "event_id", "environment", "schema_version", "job_name")
_JOB = ("status", "failure_type")
_SUBJECT_LENGTH = 99


def attributes_of(event: JsonObject) -> dict[str, str]:
    """Attributes as strings; absent when the value is null."""
    approval = str(event.get("event_type")).startswith("approval_")
    names = (*_COMMON, "decision") if approval else (*_COMMON, *_JOB)
    found = {name: str(event[name]) for name in names if event.get(name) is not None}
    quality = event.get("quality")
    if not approval and isinstance(quality, dict) and quality.get("status") is not None:
        found["quality_status"] = str(quality["status"])
    return found


def subject_of(event: JsonObject) -> str:
    """`Job Event: <job_name> - <status>`, at most 99 printable ASCII characters."""
    status = event.get("status") or event.get("decision") or event.get("event_type")
    text = f"Job Event: {event.get('job_name')} - {status}"
    return "".join(char if " " <= char <= "~" else "?" for char in text)[:_SUBJECT_LENGTH]
