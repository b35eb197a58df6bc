"""Who of this process works at a key: one at a time, and for all who wait.

Handlers that change one document by compare-and-set would lose to each other as often as they are many.
Here the first one who gets the turn is handed what everybody waits for, writes once, and the others find
theirs done. Rivals in other processes are left to the compare-and-set.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_TOGETHER = 20
"""Works done in one turn: bounds the document that one write makes."""


@dataclass(slots=True)
class _Line(Generic[T]):
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: dict[T, None] = field(default_factory=dict)
    """In order of arrival."""
    users: int = 0


class Turns(Generic[T]):
    """Turns by key. Works are told apart by hash and equality: two that are equal are one."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line[T]] = {}

    @asynccontextmanager
    async def alone(self, key: str) -> AsyncIterator[None]:
        """Wait for the turn; no work of others is taken along."""
        with self._line(key) as line:
            async with line.lock:
                yield

    @asynccontextmanager
    async def with_all(self, key: str, work: T) -> AsyncIterator[list[T]]:
        """Wait for the turn and get what waits, `work` among it; empty when somebody has done `work`.

        What the list holds on leaving without an exception is done. Whoever leaves with one takes only
        his own work with him.
        """
        with self._line(key) as line:
            line.waiting[work] = None
            try:
                async with line.lock:
                    together = _together(line.waiting, work)
                    yield together
                    for done in together:
                        line.waiting.pop(done, None)
            finally:
                line.waiting.pop(work, None)

    @contextmanager
    def _line(self, key: str) -> Iterator[_Line[T]]:
        line = self._lines.setdefault(key, _Line())
        line.users += 1
        try:
            yield line
        finally:
            line.users -= 1
            if not line.users:
                del self._lines[key]


def _together(waiting: dict[T, None], mine: T) -> list[T]:
    if mine not in waiting:
        return []
    others = (work for work in waiting if work != mine)
    chosen = {mine, *itertools.islice(others, MOST_TOGETHER - 1)}
    return [work for work in waiting if work in chosen]
