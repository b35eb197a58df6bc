"""What is being handled, on every line that its handler logs through structlog.

Needs the extra `structlog`, and `structlog.contextvars.merge_contextvars` among the processors.
"""

from typing import Any

from faststream import BaseMiddleware
from faststream.message import StreamMessage
from structlog.contextvars import bound_contextvars

from faststream_sqs.message import SQSMessage
from faststream_sqs.schemas import Queue


class SQSStructlogMiddleware(BaseMiddleware[Any, Any]):
    """To be given to `SQSBroker(middlewares=…)`.

    Binds `queue`, `message_id` and `correlation_id`, and of a single message its `receive_count`, while the
    handler runs. Lines of the broker itself have queue and message id under `extra`.
    """

    async def consume_scope(self, call_next: Any, msg: StreamMessage[Any]) -> Any:
        """Bind, handle, and leave the context as it was."""
        keys: dict[str, Any] = {
            "queue": Queue(msg.raw_message.queue).short_name,
            "message_id": msg.message_id,
            "correlation_id": msg.correlation_id,
        }
        if isinstance(msg, SQSMessage):
            keys["receive_count"] = msg.receive_count
        with bound_contextvars(**keys):
            return await call_next(msg)
