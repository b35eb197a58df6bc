"""Builders of trigger messages."""

import hashlib
import json
from typing import Any

Json = dict[str, Any]


def a_trigger(name: str, **over: Any) -> Json:
    """A valid message for echo_target; `name` makes its ids."""
    trigger_id = hashlib.sha256(name.encode()).hexdigest()[:32]
    source = {"job_name": "transform_images", "job_run_id": f"run-{name}", "attempt": 1}
    body = {
        "schema_version": "1.0",
        "trigger_id": trigger_id,
        "dag_id": "echo_target",
        "run_id": f"trig__transform_images__{trigger_id}",
        "created_at": "2026-11-23T09:15:02.100000Z",
        "attempt": 1,
        "environment": "local",
        "source": {**source, "event_id": "0" * 32, "event_type": "job_completed"},
        "conf": {
            "triggered_by_job": source["job_name"],
            "triggered_by_run_id": source["job_run_id"],
            "trigger_id": trigger_id,
        },
    }
    return {**body, **over}


def received(body: Json | str, *, receives: int = 1, message_id: str = "m-1") -> Json:
    """A message as a queue hands it out."""
    return {
        "MessageId": message_id,
        "ReceiptHandle": f"handle-{message_id}",
        "Body": body if isinstance(body, str) else json.dumps(body),
        "Attributes": {"ApproximateReceiveCount": str(receives)},
    }
