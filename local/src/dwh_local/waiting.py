"""Wait for a condition, never for a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import httpx


def until(condition: Callable[[], bool], *, seconds: float, every_seconds: float = 0.1) -> bool:
    """True as soon as `condition` holds, False when it did not within `seconds`."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() >= deadline:
            return False
        pause.wait(every_seconds)
    return True


def probe(url: str) -> bool:
    """Whether a GET of the address is answered with 200."""
    try:
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
