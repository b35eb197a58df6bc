"""Log lines of a run: one JSON object each, secrets redacted, on standard error."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from dwh_jobs.redact import redacted, redacted_text

LOG = logging.getLogger("dwh_jobs")


class _JsonLines(logging.Formatter):
    def __init__(self, bound: dict[str, Any]) -> None:
        super().__init__()
        self._bound = bound

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        line: dict[str, Any] = {
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **self._bound,
        }
        line |= fields if isinstance(fields, dict) else {}
        text = json.dumps(redacted(line), default=str, ensure_ascii=False)
        if record.exc_info:
            trace = redacted_text(self.formatException(record.exc_info))
            text = f"{text[:-1]}, {json.dumps({'stack_trace': trace})[1:]}"
        return text


def configure(**bound: Any) -> None:
    """Send the log of this package to standard error, with these fields on every line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(bound))
    LOG.handlers[:] = [handler]
    LOG.setLevel(logging.INFO)
    LOG.propagate = False


def log(event: str, *, level: int = logging.INFO, failed: BaseException | None = None, **fields: Any) -> None:
    """Write one line; `event` is a constant in snake_case, everything else a field."""
    LOG.log(level, event, extra={"fields": fields}, exc_info=failed)
