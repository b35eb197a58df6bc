"""From a received message to the one a handler sees.

SNS with raw delivery and SNS in its envelope give the same message: body, headers, trace parent.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from faststream.message import StreamMessage, decode_message

from faststream_sqs.consume.delivery import Delivery, DeliveryBatch
from faststream_sqs.message import SNSOrigin, SQSBatchMessage, SQSMessage, unpack_headers
from faststream_sqs.parking import HEADERS_ATTRIBUTE, PARKING_ATTRIBUTE, restored

Restore = Callable[[SQSMessage], Awaitable[None]]


class MalformedEnvelopeError(ValueError):
    """The body claims to be an SNS envelope and is none; the message is parked."""


RAW_CONTENT_TYPE = "application/octet-stream"
CONTENT_TYPE = "content-type"
CORRELATION_ID = "correlation_id"


class SQSParser:
    """Parses single messages; `content_type` is that of messages which do not name their own.

    `application/octet-stream` hands the body to the handler as it came, whatever the message says.
    """

    def __init__(self, content_type: str = "application/json", restore: Restore | None = None) -> None:
        self._content_type = content_type
        self._restore = restore

    async def parse_message(self, delivery: Delivery) -> SQSMessage:
        """Unwrap SNS, flatten attributes into headers, fetch a body that is kept elsewhere."""
        message = self.parse(delivery)
        if self._restore is not None:
            try:
                await self._restore(message)
            except Exception as error:  # noqa: BLE001 - concerns this message, not its batch
                message.cannot_be_read(error)
        return message

    def parse(self, delivery: Delivery) -> SQSMessage:
        """The same without the fetch; a message that breaks the parser is one that cannot be read."""
        try:
            return self._parsed(delivery)
        except Exception as error:  # noqa: BLE001 - else nobody settles it, nor any other of its batch
            message = SQSMessage(delivery, b"", headers={}, correlation_id=delivery.raw.message_id)
            message.cannot_be_read(error)
            return message

    def _parsed(self, delivery: Delivery) -> SQSMessage:
        raw = delivery.raw
        attributes = raw.attributes
        if PARKING_ATTRIBUTE in attributes:
            attributes = restored(attributes)  # AWS's own redrive brings a dead letter back as it was parked
        headers = {name: attribute.text for name, attribute in attributes.items()}
        body, sns, fault = raw.body, None, None
        try:
            envelope = _envelope(raw.body)
            if envelope is not None:
                headers |= _envelope_headers(envelope)
                body, sns = envelope["Message"], _origin(envelope)
        except MalformedEnvelopeError as error:
            fault = MalformedEnvelopeError(f"{delivery.queue}: {error}")
        if HEADERS_ATTRIBUTE in headers:
            headers |= unpack_headers(headers.pop(HEADERS_ATTRIBUTE))
        message = SQSMessage(
            delivery,
            body.encode(errors="surrogatepass"),
            sns=sns,
            headers=headers,
            content_type=self._content_type_of(headers),
            correlation_id=headers.get(CORRELATION_ID, raw.message_id),
        )
        if fault is not None:
            message.cannot_be_read(fault)
        return message

    async def decode_message(self, message: StreamMessage[Any]) -> Any:
        """By content type: JSON, text, or the bytes themselves."""
        return decode_message(message)

    def _content_type_of(self, headers: Mapping[str, str]) -> str:
        if self._content_type == RAW_CONTENT_TYPE:
            return RAW_CONTENT_TYPE
        return headers.get(CONTENT_TYPE, self._content_type)


class SQSBatchParser:
    """Parses batches; items are handed over undecoded."""

    def __init__(self, content_type: str = "application/json", restore: Restore | None = None) -> None:
        self._single = SQSParser(content_type, restore)

    async def parse_message(self, batch: DeliveryBatch) -> SQSBatchMessage:
        """One message with all items."""
        items = [await self._single.parse_message(delivery) for delivery in batch.deliveries]
        return SQSBatchMessage(
            batch,
            items,
            # FastStream links the trace of an item by way of its correlation id: one link for each
            batch_headers=[{CORRELATION_ID: item.correlation_id, **item.headers} for item in items],
            content_type=RAW_CONTENT_TYPE,
            correlation_id=items[0].correlation_id if items else None,
            message_id=items[0].message_id if items else None,
        )

    async def decode_batch(self, message: StreamMessage[DeliveryBatch]) -> list[SQSMessage]:
        """The items: each is decoded by the handler, so that a bad one fails alone."""
        return list(message.body)


def unwrapped(body: str) -> str:
    """What was published, of a body that may be an SNS envelope. Raises `MalformedEnvelopeError`."""
    envelope = _envelope(body)
    return body if envelope is None else str(envelope["Message"])


def _envelope(body: str) -> Mapping[str, Any] | None:
    if not body.startswith("{") or '"TopicArn"' not in body or '"Notification"' not in body:
        return None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    topic = value.get("TopicArn")
    if value.get("Type") != "Notification" or not isinstance(topic, str) or ":sns:" not in topic:
        return None
    for name in ("MessageId", "Message"):
        if not isinstance(value.get(name), str):
            raise _malformed(topic, f"its {name} is no text")
    return dict(value)


def _malformed(topic: str, fault: str) -> MalformedEnvelopeError:
    return MalformedEnvelopeError(
        f"an SNS envelope of {topic} cannot be read: {fault} (publish through SNS, or turn on raw delivery "
        "for the subscription of this queue)"
    )


def _origin(envelope: Mapping[str, Any]) -> SNSOrigin:
    return SNSOrigin(envelope["TopicArn"], envelope["MessageId"], envelope.get("Subject"))


def _envelope_headers(envelope: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    attributes = envelope.get("MessageAttributes") or {}
    try:
        for name, attribute in attributes.items():
            value = str(attribute.get("Value", ""))
            if attribute.get("Type") == "Binary":
                value = base64.b64decode(value, validate=True).decode("latin-1")
            headers[name] = value
    except (AttributeError, ValueError) as error:
        raise _malformed(envelope["TopicArn"], f"its MessageAttributes: {error}") from error
    return headers
