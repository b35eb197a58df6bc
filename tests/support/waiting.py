"""Wait for what a test looks for, never for a time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], what: str = "what is looked for", seconds: float = 60) -> T:
    """What `look` gives as soon as it is something true.

    Raises:
        AssertionError: it gave nothing within `seconds`; the text names `what`.
    """
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < deadline:
        if found := look():
            return found
        pause.wait(0.2)
    raise AssertionError(f"{what}: not within {seconds} s")
