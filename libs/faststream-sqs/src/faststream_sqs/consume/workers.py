"""Runs the handler on buffered messages, at most `max_workers` groups at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from faststream_sqs.consume.batch import Buffer
from faststream_sqs.consume.delivery import Delivery
from faststream_sqs.schemas import Batch

Run = Callable[[Sequence[Delivery]], Awaitable[None]]


class Workers:
    """The buffer and the handlers that empty it.

    `allowance` is how many more messages may be handed out; None means any number.
    """

    def __init__(self, run: Run, *, max_workers: int, batch: Batch) -> None:
        self._run = run
        self._max_workers = max_workers
        self._buffer = Buffer(batch)
        self._running: dict[asyncio.Task[None], Sequence[Delivery]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.allowance: int | None = None

    @property
    def buffered(self) -> int:
        """Messages that wait for a handler."""
        return len(self._buffer)

    @property
    def running(self) -> int:
        """Handlers at work."""
        return len(self._running)

    def add(self, deliveries: Sequence[Delivery]) -> None:
        """Queue messages and start what may start."""
        now = asyncio.get_running_loop().time()
        for delivery in deliveries:
            self._buffer.add(delivery, now)
        self.pump()

    def pump(self) -> None:
        """Start handlers for complete groups while there are free workers."""
        loop = asyncio.get_running_loop()
        while not self._closed and self.allowance != 0 and len(self._running) < self._max_workers:
            wait = self._buffer.wait(loop.time())
            if wait is None:
                return
            if wait > 0:
                self._wake_in(wait)
                return
            group = self._buffer.take(self.allowance)
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
        return self._buffer.clear()

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

    def cancel_handler_of(self, delivery: Delivery) -> None:
        """Cancel the handler that works on this delivery, if one does."""
        for task, group in self._running.items():
            if delivery in group:
                task.cancel()

    async def _run_group(self, group: Sequence[Delivery]) -> None:
        await self._run(group)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        del self._running[task]
        if not task.cancelled():
            task.exception()  # retrieved; the messages are left to their visibility
        self.pump()

    def _wake_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.pump)
