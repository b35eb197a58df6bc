"""In which order a subscriber handles its messages."""

from collections.abc import Callable, Hashable
from typing import Literal

from faststream.exceptions import SetupError

from faststream_sqs.consume.lanes import KeyOf, group_of
from faststream_sqs.message import SQSMessage
from faststream_sqs.parser import SQSParser

Order = Literal["none", "group"] | Callable[[SQSMessage], Hashable | None]
"""No order, order within each message group, or within each value of a function of the undecoded message."""


def key_of(order: Order) -> KeyOf | None:
    """How a delivery finds its lane; None when there are no lanes."""
    if order == "none":
        return None
    if order == "group":
        return group_of
    if not callable(order):
        raise SetupError(f'order is "none", "group" or a function of the message, not {order!r}')
    parser = SQSParser()
    return lambda delivery: order(parser.parse(delivery))
