"""Say what becomes ready, and how long it took."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Progress:
    """Lines of progress, one per part; parts may start together in several threads."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self.began = time.monotonic()

    def say(self, text: str) -> None:
        """One line, with the seconds since the beginning before it."""
        with self._lock:
            self._write(f"{time.monotonic() - self.began:6.1f} s  {text}")

    @contextmanager
    def part(self, name: str, doing: str = "ready") -> Iterator[None]:
        """Time a part; a line is written when it is done."""
        started = time.monotonic()
        yield
        self.say(f"{name:<18} {doing} ({time.monotonic() - started:.1f} s)")
