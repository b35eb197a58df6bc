from faststream_sqs.transport.protocol import (
    Attribute,
    EntryResult,
    OutgoingMessage,
    QueueInfo,
    RawMessage,
    Transport,
    TransportError,
)

__all__ = (
    "Attribute",
    "EntryResult",
    "OutgoingMessage",
    "QueueInfo",
    "RawMessage",
    "Transport",
    "TransportError",
)
