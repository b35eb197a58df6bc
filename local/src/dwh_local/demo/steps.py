"""Steps with a name, a time-out and a line of progress; a missing effect ends the demo and is named."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from dwh_local.errors import StepFailed
from dwh_local.progress import Progress
from dwh_local.waiting import until

Found = TypeVar("Found")


class Steps:
    """Runs and times the steps of the demo."""

    def __init__(self, progress: Progress, *, seconds: float) -> None:
        self._progress, self._seconds = progress, seconds
        self.done: list[tuple[str, float]] = []

    @contextmanager
    def doing(self, name: str) -> Iterator[None]:
        """Something that is done here."""
        self._progress.say(f"… {name}")
        started = time.monotonic()
        yield
        self._finish(name, started)

    def expect(self, name: str, look: Callable[[], Found | None]) -> Found:
        """Wait until `look` finds something, and return it.

        Raises:
            StepFailed: nothing within the step's time.
        """
        started = time.monotonic()
        found: list[Found] = []

        def seen() -> bool:
            answer = look()
            found.extend([] if answer is None else [answer])
            return bool(found)

        if not until(seen, seconds=self._seconds, every_seconds=0.3):
            raise StepFailed(f"step failed: {name}: not observed within {self._seconds:.0f} s")
        self._finish(name, started)
        return found[0]

    def require(self, name: str, *, holds: bool, seen: object) -> None:
        """Something that must be so now.

        Raises:
            StepFailed: it is not; the text shows what was seen.
        """
        if not holds:
            raise StepFailed(f"step failed: {name}: seen {seen!r}")
        self._finish(name, time.monotonic())

    def _finish(self, name: str, started: float) -> None:
        seconds = time.monotonic() - started
        self.done.append((name, round(seconds, 1)))
        self._progress.say(f"✓ {name} ({seconds:.1f} s)")
