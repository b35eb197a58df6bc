"""Runs the handler on buffered messages, at most `max_workers` groups at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from faststream_sqs.consume.delivery import Delivery

Run = Callable[[Sequence[Delivery]], Awaitable[None]]


class Backlog(Protocol):
    """Received messages without a handler, and which of them may have one now."""

    def __len__(self) -> int:
        """Messages that no handler has."""
        ...

    def add(self, delivery: Delivery, now: float) -> None:
        """Append a message."""
        ...

    def wait(self, now: float) -> float | None:
        """Seconds until a group may start: 0 now, None until something else happens."""
        ...

    def take(self, most: int | None = None) -> list[Delivery]:
        """Remove the next group, at most so large."""
        ...

    def ended(self, group: Sequence[Delivery]) -> None:
        """Hear that the handler of a group ended."""
        ...

    def gone(self, delivery: Delivery) -> None:
        """Hear that a message was settled or lost."""
        ...

    def clear(self) -> list[Delivery]:
        """Remove and return what no handler has; nothing is added afterwards."""
        ...


class Workers:
    """The backlog and the handlers that empty it.

    `allowance` is how many more messages may be handed out; None means any number.
    """

    def __init__(self, run: Run, backlog: Backlog, *, max_workers: int) -> None:
        self._run = run
        self._max_workers = max_workers
        self._backlog = backlog
        self._running: dict[asyncio.Task[None], Sequence[Delivery]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.allowance: int | None = None

    @property
    def buffered(self) -> int:
        """Messages that wait for a handler."""
        return len(self._backlog)

    @property
    def running(self) -> int:
        """Handlers at work."""
        return len(self._running)

    def add(self, deliveries: Sequence[Delivery]) -> None:
        """Queue messages and start what may start."""
        now = asyncio.get_running_loop().time()
        for delivery in deliveries:
            self._backlog.add(delivery, now)
        self.pump()

    def pump(self) -> None:
        """Start handlers for complete groups while there are free workers."""
        loop = asyncio.get_running_loop()
        while not self._closed and self.allowance != 0 and len(self._running) < self._max_workers:
            wait = self._backlog.wait(loop.time())
            if wait is None:
                return
            if wait > 0:
                self._wake_in(wait)
                return
            group = self._backlog.take(self.allowance)
            if not group:
                continue
            if self.allowance is not None:
                self.allowance -= len(group)
            task = loop.create_task(self._run_group(group), name="sqs-handler")
            self._running[task] = group
            task.add_done_callback(self._ended)

    def close(self) -> list[Delivery]:
        """Start nothing more; return what no handler has seen."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        return self._backlog.clear()

    async def wait_idle(self, seconds: float) -> None:
        """Wait for running handlers, at most so many seconds."""
        if self._running:
            await asyncio.wait(list(self._running), timeout=max(0.0, seconds))

    async def cancel(self) -> None:
        """Cancel the handlers that still run and wait for them to end."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def gone(self, delivery: Delivery) -> None:
        """Tell the backlog that a message was settled or lost."""
        self._backlog.gone(delivery)

    def cancel_handler_of(self, delivery: Delivery) -> None:
        """Cancel the handler that works on this delivery, if one does."""
        for task, group in self._running.items():
            if delivery in group:
                task.cancel()

    async def _run_group(self, group: Sequence[Delivery]) -> None:
        await self._run(group)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        group = self._running.pop(task)
        if not task.cancelled():
            task.exception()  # retrieved; the messages are left to their visibility
        self._backlog.ended(group)
        self.pump()

    def _wake_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.pump)
