"""The loop that people write by hand: receive ten, handle, delete ten. No heartbeat, no retries."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiobotocore.session import get_session
from contender import QUEUE_URL, REGION, run
from event_model import JobEvent
from ours_single import fill

LANES = 4


def consume(handled: Callable[[int], None]) -> None:
    """Four loops side by side."""

    async def lane(client: Any) -> None:
        while True:
            answer = await client.receive_message(
                QueueUrl=QUEUE_URL, MaxNumberOfMessages=10, WaitTimeSeconds=20
            )
            entries = []
            for index, message in enumerate(answer.get("Messages", ())):
                handled(JobEvent.model_validate_json(message["Body"]).number)
                entries.append({"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]})
            if entries:
                await client.delete_message_batch(QueueUrl=QUEUE_URL, Entries=entries)

    async def serve() -> None:
        async with get_session().create_client("sqs", region_name=REGION) as client:
            await asyncio.gather(*(lane(client) for _ in range(LANES)))

    asyncio.run(serve())


if __name__ == "__main__":
    run(fill, consume)
