"""Four writers at once, each with a connection of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import TypeVar

BATCH = 100
AT_ONCE = 4

T = TypeVar("T")
C = TypeVar("C")


def batches(events: list[T], size: int) -> list[list[T]]:
    """Cut."""
    return [events[first : first + size] for first in range(0, len(events), size)]


def told(
    connect: Callable[[], C], write: Callable[[C, list[T]], object], ways: Mapping[str, list[list[T]]]
) -> None:
    """Print events per second by way, as JSON."""
    own = local()

    def one(batch: list[T]) -> None:
        write(own.connection, batch)

    def begin() -> None:
        own.connection = connect()

    rates = {}
    for way, work in ways.items():
        with ThreadPoolExecutor(AT_ONCE, initializer=begin) as pool:
            list(pool.map(one, work[:AT_ONCE]))  # connections are open before the clock starts
            started = time.perf_counter()
            list(pool.map(one, work[AT_ONCE:]))
            rates[way] = sum(map(len, work[AT_ONCE:])) / (time.perf_counter() - started)
    print(json.dumps(rates))
