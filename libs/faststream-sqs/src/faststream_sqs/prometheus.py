"""Prometheus metrics of handled and published messages, under FastStream's own names.

Needs the extra `prometheus`. The status of a handled message is what was asked of SQS; whether a delete
was confirmed is in `broker.health()`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from faststream.message import StreamMessage
from faststream.prometheus import ConsumeAttrs, MetricsSettingsProvider
from faststream.prometheus.middleware import PrometheusMiddleware
from prometheus_client import CollectorRegistry

from faststream_sqs._fs import EMPTY
from faststream_sqs.consume.delivery import Delivery, DeliveryBatch
from faststream_sqs.message import body_size
from faststream_sqs.response import SQSPublishCommand
from faststream_sqs.schemas import Queue

MESSAGING_SYSTEM = "aws_sqs"


class SQSMetricsSettingsProvider(MetricsSettingsProvider[Any, SQSPublishCommand]):
    """Labels and sizes of single messages and of batches."""

    def __init__(self) -> None:
        self.messaging_system = MESSAGING_SYSTEM

    def get_consume_attrs_from_message(self, msg: StreamMessage[Any]) -> ConsumeAttrs:
        """Queue, bytes and number of messages."""
        raw: Delivery | DeliveryBatch = msg.raw_message
        return {
            "destination_name": Queue(raw.queue).short_name,
            "message_size": body_size(msg),
            "messages_count": len(raw.deliveries) if isinstance(raw, DeliveryBatch) else 1,
        }

    def get_publish_destination_name_from_cmd(self, cmd: SQSPublishCommand) -> str:
        """The queue or topic by its name."""
        return cmd.target_name


class SQSPrometheusMiddleware(PrometheusMiddleware[Any, SQSPublishCommand]):
    """To be given to `SQSBroker(middlewares=…)`."""

    def __init__(
        self,
        *,
        registry: CollectorRegistry,
        app_name: str = EMPTY,
        metrics_prefix: str = "faststream",
        received_messages_size_buckets: Sequence[float] | None = None,
        custom_labels: dict[str, str | Callable[[Any], str]] | None = None,
    ) -> None:
        super().__init__(
            settings_provider_factory=lambda _: SQSMetricsSettingsProvider(),
            registry=registry,
            app_name=app_name,
            metrics_prefix=metrics_prefix,
            received_messages_size_buckets=received_messages_size_buckets,
            custom_labels=custom_labels,
        )
