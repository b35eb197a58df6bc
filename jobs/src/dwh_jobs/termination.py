"""The platform's request to stop, turned into the run's failure."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dwh_jobs.errors import Terminated


@contextmanager
def terminable() -> Iterator[None]:
    """Raise Terminated in the body on SIGTERM; afterwards the signal is ignored.

    The process is on its way out by then, and its last event must not be cut short.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated("the platform asked the process to stop (SIGTERM)")

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
