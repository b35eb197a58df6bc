"""A FastStream broker for SQS and SNS on aiobotocore."""

from faststream_sqs.broker import SQSBroker
from faststream_sqs.health import Health, QueueHealth
from faststream_sqs.large import MissingPayloadError, PayloadError
from faststream_sqs.message import BatchOutcome, SNSOrigin, SQSBatchMessage, SQSMessage
from faststream_sqs.parser import MalformedEnvelopeError
from faststream_sqs.produce.producer import PublishError
from faststream_sqs.produce.sizing import InvalidMessageError
from faststream_sqs.response import SQSResponse
from faststream_sqs.router import SQSRoute, SQSRoutePublisher, SQSRouter
from faststream_sqs.schemas import (
    Batch,
    Coalesce,
    Heartbeat,
    LargePayload,
    Parking,
    Queue,
    Retry,
    Subscription,
    Topic,
)
from faststream_sqs.testing.broker import TestSQSBroker
from faststream_sqs.transport.protocol import TransportError

__all__ = (
    "Batch",
    "BatchOutcome",
    "Coalesce",
    "Health",
    "Heartbeat",
    "InvalidMessageError",
    "LargePayload",
    "MalformedEnvelopeError",
    "MissingPayloadError",
    "Parking",
    "PayloadError",
    "PublishError",
    "Queue",
    "QueueHealth",
    "Retry",
    "SNSOrigin",
    "SQSBatchMessage",
    "SQSBroker",
    "SQSMessage",
    "SQSResponse",
    "SQSRoute",
    "SQSRoutePublisher",
    "SQSRouter",
    "Subscription",
    "TestSQSBroker",
    "Topic",
    "TransportError",
)
