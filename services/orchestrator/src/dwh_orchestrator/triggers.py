"""Send one planned trigger to its target.

Each sender returns the target's answer and raises `EffectRefused` when trying again cannot help. The DAG
run id is the deduplication at the target, so a second send of the same trigger starts nothing twice.
"""

from collections.abc import Awaitable, Callable

from dwh_contracts.canonical import JsonObject, canonical_json
from dwh_runtime.aws import AwsRefused, Queues
from dwh_runtime.effects import EffectRefused

from dwh_orchestrator.decide import PlannedTrigger

Sender = Callable[[PlannedTrigger, JsonObject], Awaitable[JsonObject]]


def sqs_mwaa(queues: Queues, default_queue_url: str) -> Sender:
    """A sender of `mwaa-triggers` messages (contracts.md 8)."""

    async def send(trigger: PlannedTrigger, message: JsonObject) -> JsonObject:
        queue_url = trigger.queue_url or default_queue_url
        attributes = {
            "dag_id": trigger.target,
            "source_job": str(message["source"]["job_name"]),  # type: ignore[index,call-overload]
            "trigger_id": trigger.trigger_id,
        }
        try:
            message_id = await queues.send(
                queue_url, canonical_json(message), attributes, delay_seconds=trigger.delay_seconds
            )
        except AwsRefused as refused:
            raise EffectRefused(str(refused)) from refused
        return {"message_id": message_id, "queue_url": queue_url}

    return send
