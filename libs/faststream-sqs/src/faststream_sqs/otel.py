"""OpenTelemetry spans and metrics of handled and published messages.

Needs the extra `otel`. The trace context travels in the attribute `traceparent`; the rest of it and the
baggage are packed with the other headers.
"""

from typing import Any

from faststream.message import StreamMessage
from faststream.opentelemetry import TelemetryMiddleware, TelemetrySettingsProvider
from faststream.opentelemetry.consts import MESSAGING_DESTINATION_PUBLISH_NAME
from opentelemetry.metrics import Meter, MeterProvider
from opentelemetry.semconv.trace import SpanAttributes
from opentelemetry.trace import TracerProvider

from faststream_sqs.consume.delivery import DeliveryBatch
from faststream_sqs.message import SQSMessage, body_size
from faststream_sqs.response import SQSPublishCommand
from faststream_sqs.schemas import Queue

MESSAGING_SYSTEM = "aws_sqs"
RECEIVE_COUNT = "messaging.aws_sqs.receive_count"
MESSAGE_GROUP = "messaging.aws_sqs.message_group_id"


class SQSTelemetrySettingsProvider(TelemetrySettingsProvider[Any, SQSPublishCommand]):
    """Span attributes of single messages and of batches."""

    def __init__(self) -> None:
        self.messaging_system = MESSAGING_SYSTEM

    def get_consume_attrs_from_message(self, msg: StreamMessage[Any]) -> dict[str, Any]:
        """Ids, size, queue; the number of messages of a batch, the receive count of a single one."""
        attributes: dict[str, Any] = {
            SpanAttributes.MESSAGING_SYSTEM: self.messaging_system,
            SpanAttributes.MESSAGING_MESSAGE_ID: msg.message_id,
            SpanAttributes.MESSAGING_MESSAGE_CONVERSATION_ID: msg.correlation_id,
            SpanAttributes.MESSAGING_MESSAGE_PAYLOAD_SIZE_BYTES: body_size(msg),
            MESSAGING_DESTINATION_PUBLISH_NAME: self.get_consume_destination_name(msg),
        }
        if isinstance(msg.raw_message, DeliveryBatch):
            attributes[SpanAttributes.MESSAGING_BATCH_MESSAGE_COUNT] = len(msg.raw_message.deliveries)
        elif isinstance(msg, SQSMessage):
            attributes[RECEIVE_COUNT] = msg.receive_count
            if msg.group_id is not None:
                attributes[MESSAGE_GROUP] = msg.group_id
        return attributes

    def get_consume_destination_name(self, msg: StreamMessage[Any]) -> str:
        """The queue's name."""
        return Queue(msg.raw_message.queue).short_name

    def get_publish_attrs_from_cmd(self, cmd: SQSPublishCommand) -> dict[str, Any]:
        """Target, correlation id, group."""
        attributes: dict[str, Any] = {
            SpanAttributes.MESSAGING_SYSTEM: self.messaging_system,
            SpanAttributes.MESSAGING_DESTINATION_NAME: self.get_publish_destination_name(cmd),
            SpanAttributes.MESSAGING_MESSAGE_CONVERSATION_ID: cmd.correlation_id,
        }
        if cmd.group_id is not None:
            attributes[MESSAGE_GROUP] = cmd.group_id
        return attributes

    def get_publish_destination_name(self, cmd: SQSPublishCommand) -> str:
        """The queue or topic by its name."""
        return cmd.target_name


class SQSTelemetryMiddleware(TelemetryMiddleware[SQSPublishCommand]):
    """To be given to `SQSBroker(middlewares=…)`."""

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        meter: Meter | None = None,
        include_messages_counters: bool = True,
    ) -> None:
        super().__init__(
            settings_provider_factory=lambda _: SQSTelemetrySettingsProvider(),
            tracer_provider=tracer_provider,
            meter_provider=meter_provider,
            meter=meter,
            include_messages_counters=include_messages_counters,
        )
