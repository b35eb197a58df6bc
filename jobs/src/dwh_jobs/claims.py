"""Events too large for a topic: the whole lies in the data bucket, a claim check travels."""

from __future__ import annotations

from hashlib import sha256

from dwh_contracts.canonical import JsonObject
from dwh_jobs.artifacts import open_store
from dwh_jobs.uris import join

LARGEST_EVENT = 200 * 1024
_TRAVELS = (
    "schema_version",
    "event_type",
    "event_id",
    "environment",
    "job_name",
    "job_run_id",
    "attempt",
    "timestamp",
)


def claim_check(event: JsonObject, body: bytes, data_folder: str) -> JsonObject:
    """Store the event and return what is sent in its place."""
    uri = join(data_folder, "_claims", f"{event['event_id']}.json")
    open_store(uri).write(uri, body)
    pointer: JsonObject = {"uri": uri, "bytes": len(body), "sha256": sha256(body).hexdigest()}
    return {name: event[name] for name in _TRAVELS} | {"claim_check": pointer}
