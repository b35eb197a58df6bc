"""Splitting messages into calls that SQS and SNS accept."""

from collections.abc import Iterator, Sequence

from faststream_sqs.schemas import MAX_BATCH
from faststream_sqs.transport.protocol import OutgoingMessage
from faststream_sqs.transport.remedies import TOO_LARGE

MAX_ATTRIBUTES = 10


class InvalidMessageError(ValueError):
    """The message can never be sent as it is; says what is wrong with it."""


def size_of(message: OutgoingMessage) -> int:
    """Bytes that count: body, and name, type and value of each attribute."""
    size = len(message.body.encode())
    for name, attribute in message.attributes.items():
        value = attribute.value if isinstance(attribute.value, bytes) else attribute.value.encode()
        size += len(name.encode()) + len(attribute.data_type.encode()) + len(value)
    return size


def check(message: OutgoingMessage, limit: int, target: str = "") -> int:
    """Raise `InvalidMessageError` for what the service would refuse; returns the size."""
    where = f"{target}: " if target else ""
    if not message.body:
        raise InvalidMessageError(f"{where}an empty body cannot be sent")
    if len(message.attributes) > MAX_ATTRIBUTES:
        raise InvalidMessageError(
            f"{where}{len(message.attributes)} attributes, at most {MAX_ATTRIBUTES} are possible "
            "(one of them carries the headers); put the rest into the body"
        )
    size = size_of(message)
    if size > limit:
        raise InvalidMessageError(
            f"{where}{size} bytes with attributes, at most {limit} are possible ({TOO_LARGE})"
        )
    return size


def batches(
    messages: Sequence[OutgoingMessage], limit: int, target: str = ""
) -> Iterator[list[OutgoingMessage]]:
    """Groups of at most ten messages and `limit` bytes, in order; an error names the target."""
    group: list[OutgoingMessage] = []
    group_size = 0
    for message in messages:
        size = check(message, limit, target)
        if group and (len(group) == MAX_BATCH or group_size + size > limit):
            yield group
            group, group_size = [], 0
        group.append(message)
        group_size += size
    if group:
        yield group
