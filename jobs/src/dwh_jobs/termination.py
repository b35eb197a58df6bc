"""The platform's request to stop, turned into the run's failure."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

from dwh_jobs.errors import Terminated


class Termination:
    """From its beginning no SIGTERM ends the process unheard.

    One that comes before `arm` is raised there, one that comes between `arm` and `disarm` at once. Later ones
    are ignored: the process is on its way out by then, and its last event must not be cut short.
    """

    def __init__(self) -> None:
        self._asked = False
        self._armed = False

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def arm(self) -> None:
        """From here on a request is raised where the program is.

        Raises:
            Terminated: the platform has asked already.
        """
        self._armed = True
        if self._asked:
            self._raise()

    def disarm(self) -> None:
        """From here on a request changes nothing."""
        self._armed = False

    def _on_signal(self, _signal: int, _frame: FrameType | None) -> None:
        self._asked = True
        if self._armed:
            self._raise()

    def _raise(self) -> None:
        self._armed = False
        raise Terminated("the platform asked the process to stop (SIGTERM)")
