"""The platform's request to stop, turned into the run's failure."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from dwh_jobs.errors import Terminated

_HEARD_WITHIN = 0.5


class Termination:
    """From its beginning no SIGTERM ends the process unheard.

    One that comes before `arm` is raised there, one that comes between `arm` and `disarm` at once. What is
    raised can be swallowed where it happens to come out (a bare `except`, a finalizer): once nobody handles
    it any more and the run goes on, it is raised again. Later requests are ignored: the process is on its
    way out by then, and its last event must not be cut short.
    """

    def __init__(self) -> None:
        self._asked = False
        self._armed = False
        self._raised: Callable[[], Terminated | None] = lambda: None
        self._over = threading.Event()
        self._insisting = threading.Thread(target=self._insist, name="termination", daemon=True)

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, self._on_signal)
        self._insisting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._over.set()
        self._insisting.join()  # whoever takes the signal over gets none of these requests

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
        if self._armed and self._raised() is None:
            self._raise()

    def _raise(self) -> None:
        error = Terminated("the platform asked the process to stop (SIGTERM)")
        self._raised = weakref.ref(error)
        try:
            raise error
        finally:
            del error  # its own traceback would keep it: only who is handling it may

    def _insist(self) -> None:
        while not self._over.wait(_HEARD_WITHIN):
            if self._asked and self._armed:
                os.kill(os.getpid(), signal.SIGTERM)


def stop_children(grace: float = 3.0) -> None:
    """End the processes that this one started: SIGTERM, and SIGKILL for what is there `grace` seconds later.

    A JVM watches its standard input and goes when Python goes, but only once it is up: one whose start was
    cut short waits for ever, because the folder in which it tells its port is gone
    (`pyspark.java_gateway`). Where there is no `/proc` nothing is ended.
    """
    running: dict[int, int] = {}  # by the descriptor that becomes readable when the process ends
    for file in Path("/proc/self/task").glob("*/children"):
        children = ""
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended meanwhile
            children = file.read_text()
        for child in map(int, children.split()):
            with suppress(ProcessLookupError):  # the child has, and others are still there
                running[os.pidfd_open(child)] = child
                os.kill(child, signal.SIGTERM)
    end = time.monotonic() + grace
    while running and (left := end - time.monotonic()) > 0:
        for ended in select.select(list(running), [], [], left)[0]:
            del running[ended]
    for child in running.values():
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
