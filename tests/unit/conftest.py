"""Settings of all unit tests."""

import pytest
import structlog
import untimed  # noqa: F401


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks():
    """A service formats its own logs; structlog's default draws every local variable, which takes 10 s."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )
