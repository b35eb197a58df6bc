"""One log format for our lines and those of libraries, on standard output.

Guarantees: one line per event, however hostile the values (G10: event text is only ever a value);
secrets are redacted. Event names are constants; what varies is bound by key.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from dwh_runtime.redaction import Redactor
from dwh_runtime.settings import ServiceSettings

# Two lines per message from the broker and one per probe from uvicorn would drown our own.
_QUIET = ("uvicorn.access", "uvicorn.error", "aiobotocore", "botocore", "faststream", "faststream_sqs")
# Logs a stack for each failed call; the error that we raise says the same in one line.
_ERRORS_ONLY = ("opensearch",)


def configure(settings: ServiceSettings, service: str) -> None:
    """Set up structlog and the standard library's root logger, once, at start."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
        structlog.processors.format_exc_info,
        Redactor(settings.secrets()),
    ]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(settings)],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in _ERRORS_ONLY:
        logging.getLogger(name).setLevel(logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger for a module; safe to create at import, it is configured at first use."""
    return cast("FilteringBoundLogger", structlog.stdlib.get_logger(name))


@contextmanager
def bind_message(**values: Any) -> Iterator[None]:
    """Bind the keys of the message being handled to every line logged inside; None values are left out."""
    with structlog.contextvars.bound_contextvars(**{k: v for k, v in values.items() if v is not None}):
        yield


def _named(service: str) -> Processor:
    def add_service(_logger: Any, _method: str, event_dict: Any) -> Any:
        event_dict["service"] = service
        return event_dict

    return add_service


def _renderer(settings: ServiceSettings) -> Processor:
    if settings.log_format == "json":
        return structlog.processors.JSONRenderer(sort_keys=False)
    return structlog.dev.ConsoleRenderer(colors=False, repr_native_str=True)
