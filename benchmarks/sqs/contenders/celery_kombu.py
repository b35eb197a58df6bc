"""Celery on kombu's SQS transport: one process, acknowledged after the task."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from celery import Celery
from contender import ENDPOINT, QUEUE, QUEUE_URL, REGION, run

address = urlsplit(ENDPOINT)
app = Celery("bench", broker=f"sqs://canned:canned@{address.hostname}:{address.port}")
app.conf.update(
    task_default_queue=QUEUE,
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=100,
    broker_transport_options={
        "region": REGION,
        "is_secure": False,
        "wait_time_seconds": 20,
        "predefined_queues": {QUEUE: {"url": QUEUE_URL}},
    },
)


def fill(events: list[dict[str, Any]]) -> None:
    """One call to a message: Celery has no batches."""
    with app.producer_pool.acquire(block=True) as producer:
        for event in events:
            app.send_task("bench.on_event", (event,), producer=producer)


def consume(handled: Callable[[int], None]) -> None:
    """In the worker's own process, so that its processor time is all there is."""

    @app.task(name="bench.on_event")  # type: ignore[untyped-decorator]
    def on_event(event: dict[str, Any]) -> None:
        handled(event["number"])

    app.worker_main(
        [
            "worker",
            "--pool=solo",
            "--loglevel=ERROR",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )


if __name__ == "__main__":
    run(fill, consume)
