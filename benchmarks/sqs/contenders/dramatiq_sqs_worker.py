"""dramatiq with dramatiq-sqs: eight worker threads."""

import threading
from collections.abc import Callable
from typing import Any

import dramatiq
from contender import QUEUE, REGION, run
from dramatiq_sqs import SQSBroker


def an_actor(function: Callable[[dict[str, Any]], None]) -> tuple[SQSBroker, Any]:
    """The broker and the actor on it."""
    broker = SQSBroker(region_name=REGION, visibility_timeout=30, middleware=[])
    return broker, dramatiq.actor(function, actor_name="on_event", queue_name=QUEUE, broker=broker)


def fill(events: list[dict[str, Any]]) -> None:
    """One call to a message."""
    _, actor = an_actor(lambda _event: None)
    for event in events:
        actor.send(event)


def consume(handled: Callable[[int], None]) -> None:
    """With dramatiq's own number of threads."""
    broker, _ = an_actor(lambda event: handled(event["number"]))
    dramatiq.Worker(broker, worker_threads=8).start()
    threading.Event().wait()


if __name__ == "__main__":
    run(fill, consume)
