"""Health that means progress.

Live: every poll loop turned within its wait and 40 seconds, where failed attempts, pauses and waiting for
permits count as turning. Slow handlers and an SQS that is away do not make a consumer dead.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from faststream_sqs.consume.consumer import QueueConsumer

SETTLE_LAG_SECONDS = 60.0
"""A settle that waits longer than this makes a broker unready."""


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """One queue; ages and lags in seconds."""

    queue: str
    consuming: bool
    turning: bool
    poll_age: float = 0.0
    poll_failures: int = 0
    paused: bool = False
    in_flight: int = 0
    buffered: int = 0
    running: int = 0
    settle_lag: float = 0.0
    settle_failures: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """The whole broker; `detail` holds plain values for a readiness page."""

    live: bool
    ready: bool
    detail: dict[str, Any]


def queue_health(queue: str, consumer: QueueConsumer | None) -> QueueHealth:
    """How far one consumer is."""
    if consumer is None:
        return QueueHealth(queue, consuming=False, turning=True)
    return QueueHealth(
        queue,
        consuming=True,
        turning=consumer.turning,
        poll_age=consumer.poller.age,
        poll_failures=consumer.poller.failures,
        paused=consumer.paused,
        in_flight=consumer.held,
        buffered=consumer.workers.buffered,
        running=consumer.workers.running,
        settle_lag=consumer.settler.lag,
        settle_failures=consumer.settle_failures,
    )


def broker_health(*, running: bool, queues: Sequence[QueueHealth]) -> Health:
    """Live while every loop turns; ready when besides that the broker runs and settles in time."""
    live = all(queue.turning for queue in queues)
    settling = all(queue.settle_lag < SETTLE_LAG_SECONDS for queue in queues)
    detail = {queue.queue: {k: v for k, v in asdict(queue).items() if k != "queue"} for queue in queues}
    return Health(live=live, ready=live and running and settling, detail=detail)
