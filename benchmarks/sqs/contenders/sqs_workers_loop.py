"""sqs-workers: one process, batched deletes."""

from collections.abc import Callable
from typing import Any

from contender import QUEUE, run
from sqs_workers import SQSEnv


def fill(events: list[dict[str, Any]]) -> None:
    """Ten to a call, as JSON."""
    queue = SQSEnv(codec="json").queue(QUEUE)
    task = queue.processor("on_event")(lambda event: event)
    with task.batch():
        for event in events:
            task.delay(event=event)


def consume(handled: Callable[[int], None]) -> None:
    """The loop of the library."""
    queue = SQSEnv(codec="json").queue(QUEUE)
    queue.processor("on_event")(lambda event: handled(event["number"]))
    queue.process_queue(wait_second=20)


if __name__ == "__main__":
    run(fill, consume)
