"""The broker's own logger, for applications that bring none.

Lines per message are DEBUG: at INFO two of them cost more than the rest of the framework.
"""

import logging
from functools import partial
from typing import Any

from faststream_sqs._fs import (
    ContextRepo,
    DefaultLoggerStorage,
    LoggerProto,
    get_broker_logger,
    make_logger_state,
)

MESSAGE_ID_CHARACTERS = 10


class SQSLoggerStorage(DefaultLoggerStorage):
    """Makes the default logger with a column as wide as the longest queue name."""

    def __init__(self) -> None:
        super().__init__()
        self._queue_characters = 4

    def register_subscriber(self, params: dict[str, Any]) -> None:
        """Widen the column."""
        self._queue_characters = max(self._queue_characters, len(params.get("queue", "")))

    def get_logger(self, *, context: ContextRepo) -> LoggerProto:
        """The logger `faststream.access.sqs`."""
        if known := self._get_logger_ref():
            return known
        logger = get_broker_logger(
            name="sqs",
            default_context={"queue": ""},
            message_id_ln=MESSAGE_ID_CHARACTERS,
            fmt=(
                "%(asctime)s %(levelname)-8s - "
                f"%(queue)-{self._queue_characters}s | %(message_id)-{MESSAGE_ID_CHARACTERS}s - %(message)s"
            ),
            context=context,
            log_level=logging.INFO,
        )
        self._logger_ref.add(logger)
        return logger


make_sqs_logger_state = partial(make_logger_state, default_storage_cls=SQSLoggerStorage)
