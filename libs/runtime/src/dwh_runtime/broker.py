"""The broker and the subscriber options that are the same in all four services."""

from collections.abc import Sequence
from typing import Any

from faststream_sqs import Batch, Parking, Retry, SQSBroker
from faststream_sqs.transport.protocol import Transport

from dwh_runtime.logging import get_logger
from dwh_runtime.settings import ServiceSettings

RETRY_SECONDS = (2, 30, 300, 3300)
PARK_AT_RECEIVE = 5
# An idle stop takes as long as a poll; 20 s would spend most of a pod's grace period on nothing.
WAIT_SECONDS = 5


def make_broker(
    settings: ServiceSettings, *, middlewares: Sequence[Any] = (), transport: Transport | None = None
) -> SQSBroker:
    """A broker for the region of the settings; endpoint and credentials come from `AWS_*`.

    It logs as we do: the one that FastStream makes for itself writes past our format and redaction.
    `transport` replaces AWS, in tests.
    """
    return SQSBroker(
        settings.aws_region,
        transport=transport,
        middlewares=middlewares,
        graceful_timeout=settings.drain_seconds,
        logger=get_logger("faststream_sqs"),
    )


def subscription(settings: ServiceSettings, *, batch: Batch | None = None) -> dict[str, Any]:
    """Keyword arguments for `broker.subscriber(settings.queue_url, …)`.

    Bodies arrive as raw bytes: decoding is the contracts parser's, so that a bad one is quarantined
    instead of retried.
    """
    options: dict[str, Any] = {
        "retry": Retry(delays=RETRY_SECONDS),
        "parking": Parking(after=PARK_AT_RECEIVE),
        "visibility": settings.visibility_seconds,
        "wait_time": WAIT_SECONDS,
        "content_type": "application/octet-stream",
    }
    return options if batch is None else {**options, "batch": batch}
