"""Annotations that hand the broker's objects to handlers."""

from typing import Annotated, Any

from faststream.annotations import ContextRepo, Logger
from faststream.params import NoCast

from faststream_sqs._fs import ContextField
from faststream_sqs.broker import SQSBroker
from faststream_sqs.message import SQSBatchMessage, SQSMessage

__all__ = ("BatchMessage", "Broker", "ContextRepo", "Logger", "Message", "NoCast")


class _Here(ContextField):
    """FastStream's `Context`, looked up where the handler runs: FastDepends takes a plain one to a thread."""

    async def use(self, /, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override] # awaited where it can be
        """The arguments with this one among them."""
        return super().use(**kwargs)


Message = Annotated[SQSMessage, _Here("message")]
BatchMessage = Annotated[SQSBatchMessage, _Here("message")]
Broker = Annotated[SQSBroker, _Here("broker")]
