"""A proxy between clients and an SQS server that lets their calls fail as it is told to."""

from faststream_sqs.testing.proxy.disturbances import (
    Disturbance,
    Effect,
    black_hole,
    delay,
    refused_connections,
    reset,
    server_error,
    throttling,
    unavailable,
)
from faststream_sqs.testing.proxy.proxy import FaultProxy

__all__ = (
    "Disturbance",
    "Effect",
    "FaultProxy",
    "black_hole",
    "delay",
    "refused_connections",
    "reset",
    "server_error",
    "throttling",
    "unavailable",
)
