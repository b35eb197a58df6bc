"""Messages that several callers publish at about the same time share a call.

A call is made at ten messages, before the bytes would pass what the service takes, or when the first
message waited long enough. Each caller learns of its own message only, as soon as its result is final: one
refused entry fails nobody else.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from faststream_sqs.produce.sizing import check
from faststream_sqs.schemas import MAX_BATCH, Queue, Topic
from faststream_sqs.transport.protocol import EntryResult, OutgoingMessage, TransportError

CUT = "the broker stopped before an answer came; whether it was taken is unknown"
Deliver = Callable[[Queue | Topic, list[OutgoingMessage]], AsyncIterator[tuple[int, EntryResult]]]


@dataclass(slots=True)
class _Group:
    messages: list[OutgoingMessage] = field(default_factory=list)
    results: "list[asyncio.Future[EntryResult]]" = field(default_factory=list)
    size: int = 0
    timer: asyncio.TimerHandle | None = None


class Coalescer:
    """Groups by target; `deliver` sends one group and tells what became of each entry by its index."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._groups: dict[Queue | Topic, _Group] = {}
        self._calls: set[asyncio.Task[None]] = set()

    async def send(
        self, target: Queue | Topic, message: OutgoingMessage, *, limit: int, max_wait: float
    ) -> EntryResult:
        """Send a message with others; raises what the call raised that should have brought its result."""
        size = check(message, limit, target.short_name)
        group = self._groups.get(target)
        if group is not None and group.size + size > limit:
            self._launch(target)
            group = None
        if group is None:
            group = self._groups[target] = _Group()
            group.timer = asyncio.get_running_loop().call_later(max_wait, self._launch, target)
        result: asyncio.Future[EntryResult] = asyncio.get_running_loop().create_future()
        group.messages.append(message)
        group.results.append(result)
        group.size += size
        if len(group.messages) == MAX_BATCH:
            self._launch(target)
        return await result

    async def flush(self, seconds: float | None) -> None:
        """Send what waits, and return when every call has its answer; after `seconds` the rest is cut."""
        for target in list(self._groups):
            self._launch(target)
        try:
            async with asyncio.timeout(seconds):
                while self._calls:
                    await asyncio.wait(self._calls)
        except TimeoutError:
            calls = list(self._calls)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    def _launch(self, target: Queue | Topic) -> None:
        group = self._groups.pop(target)
        if group.timer is not None:
            group.timer.cancel()
        call = asyncio.get_running_loop().create_task(self._call(target, group))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, target: Queue | Topic, group: _Group) -> None:
        try:
            async for index, answer in self._deliver(target, group.messages):
                if not group.results[index].done():
                    group.results[index].set_result(answer)
        except BaseException as error:
            told = (
                error
                if isinstance(error, Exception)
                else TransportError("Stopped", CUT).about(target.short_name)
            )
            for result in group.results:
                if not result.done():
                    result.set_exception(told)
            if not isinstance(error, Exception):
                raise
