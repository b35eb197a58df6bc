"""Deletes and changes of visibility of one queue, ten to a call.

Promises that every request ends: confirmed, or refused because the lock is gone. A failed entry is tried
again while its lock holds. Ids are remembered until their delete is confirmed in time, so that a redelivery
of work already done is deleted without running the handler.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from faststream_sqs.clock import Clock
from faststream_sqs.consume.delivery import Delivery, DeliveryState
from faststream_sqs.schemas import MAX_BATCH
from faststream_sqs.transport.protocol import EntryResult, Transport, TransportError

LINGER_SECONDS = 0.02
REMEMBERED_IDS = 10_000
FIRST_BACK_OFF_SECONDS = 0.1
LAST_BACK_OFF_SECONDS = 5.0

Call = Callable[[Sequence["Request"]], Awaitable[list[EntryResult]]]
OnFailure = Callable[[str, str], None]


@dataclass(slots=True, eq=False)
class Request:
    """One delete (`seconds` is None) or change of visibility that somebody waits for."""

    delivery: Delivery
    seconds: int | None
    done: "asyncio.Future[bool]"
    since: float
    beat: bool = False


class Remembered:
    """A bounded set of message ids; the oldest goes first."""

    def __init__(self, limit: int = REMEMBERED_IDS) -> None:
        self._limit = limit
        self._ids: OrderedDict[str, int] = OrderedDict()

    def add(self, message_id: str) -> None:
        """Remember an id, and that it came once more."""
        self._ids[message_id] = self.times(message_id) + 1
        self._ids.move_to_end(message_id)
        if len(self._ids) > self._limit:
            self._ids.popitem(last=False)

    def times(self, message_id: str) -> int:
        """How often it was added since it was last forgotten."""
        return self._ids.get(message_id, 0)

    def discard(self, message_id: str) -> None:
        """Forget an id."""
        self._ids.pop(message_id, None)

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._ids


class Settler:
    """Batches requests of one queue and sees each of them through."""

    def __init__(
        self,
        transport: Transport,
        queue_url: Callable[[], str],
        clock: Clock,
        *,
        linger: float = LINGER_SECONDS,
        on_failure: OnFailure = lambda _code, _detail: None,
    ) -> None:
        self._transport = transport
        self._queue_url = queue_url
        self._clock = clock
        self.remembered = Remembered()
        self._deletes = _Lane(self._delete, clock, linger, on_failure)
        self._changes = _Lane(self._change, clock, linger, on_failure)

    def delete(self, delivery: Delivery, *, handled: bool = True) -> "asyncio.Future[bool]":
        """Ask for a delete; the future says whether SQS confirmed it. What was not `handled` is forgotten."""
        done = self._deletes.ask(delivery, None)
        if not handled:
            return done
        self.remembered.add(delivery.raw.message_id)  # its lock may run out before the delete gets through
        done.add_done_callback(lambda future: self._remember(delivery, future))
        return done

    def change(self, delivery: Delivery, seconds: float, *, beat: bool = False) -> "asyncio.Future[bool]":
        """Ask for a change of visibility; a `beat` is dropped when the delivery was settled meanwhile."""
        whole_seconds = max(0, round(seconds))
        return self._changes.ask(delivery, whole_seconds, beat=beat)

    @property
    def lag(self) -> float:
        """Age in seconds of the oldest request without an answer."""
        oldest = min(self._deletes.oldest, self._changes.oldest)
        return max(0.0, self._clock.monotonic() - oldest) if oldest != float("inf") else 0.0

    async def flush(self) -> None:
        """Send everything now and wait until each request has its answer."""
        while self._deletes.busy or self._changes.busy:
            await asyncio.gather(self._deletes.flush(), self._changes.flush())

    async def close(self) -> None:
        """Give up what is still under way; its futures end as unconfirmed."""
        await asyncio.gather(self._deletes.close(), self._changes.close())

    def _remember(self, delivery: Delivery, future: "asyncio.Future[bool]") -> None:
        confirmed = not future.cancelled() and future.result()
        if not confirmed or self._clock.monotonic() > delivery.lock_until:
            self.remembered.add(delivery.raw.message_id)
        else:
            self.remembered.discard(delivery.raw.message_id)

    async def _delete(self, requests: Sequence[Request]) -> list[EntryResult]:
        return await self._transport.delete(self._queue_url(), [r.delivery.raw.receipt for r in requests])

    async def _change(self, requests: Sequence[Request]) -> list[EntryResult]:
        changes = [(r.delivery.raw.receipt, r.seconds or 0) for r in requests]
        return await self._transport.change_visibility(self._queue_url(), changes)


class _Lane:
    """Requests of one kind: collected for a moment, sent ten at a time, retried one by one."""

    def __init__(self, call: Call, clock: Clock, linger: float, on_failure: OnFailure) -> None:
        self._call = call
        self._clock = clock
        self._linger = linger
        self._on_failure = on_failure
        self._waiting: list[Request] = []
        self._open: dict[Request, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()

    def ask(self, delivery: Delivery, seconds: int | None, *, beat: bool = False) -> "asyncio.Future[bool]":
        loop = asyncio.get_running_loop()
        request = Request(delivery, seconds, loop.create_future(), self._clock.monotonic(), beat)
        self._open[request] = None
        self._waiting.append(request)
        if len(self._waiting) >= MAX_BATCH:
            self._launch()
        elif self._timer is None:
            self._timer = loop.call_later(self._linger, self._launch)
        return request.done

    @property
    def busy(self) -> bool:
        return bool(self._waiting or self._sending)

    @property
    def oldest(self) -> float:
        return next((request.since for request in self._open), float("inf"))

    async def flush(self) -> None:
        self._launch()
        if self._sending:
            await asyncio.wait(list(self._sending))  # a cancelled flush must not cancel the calls

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        sending = list(self._sending)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
        self._waiting.clear()
        for request in list(self._open):
            self._end(request, confirmed=False)

    def _launch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            requests, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            task = asyncio.get_running_loop().create_task(self._send(requests))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, requests: list[Request]) -> None:
        left, back_off = requests, FIRST_BACK_OFF_SECONDS
        try:
            while left := self._still_wanted(left):
                left = await self._attempt(left)
                if left:
                    await self._clock.sleep(back_off * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
                    back_off = min(back_off * 2, LAST_BACK_OFF_SECONDS)
        finally:
            for request in requests:  # of which an error of ours, or the end, may have left some open
                self._end(request, confirmed=False)

    async def _attempt(self, requests: list[Request]) -> list[Request]:
        try:
            answered = list(zip(requests, await self._call(requests), strict=True))
        except TransportError as error:
            self._on_failure(error.code, error.detail)
            return requests
        except Exception as error:  # noqa: BLE001 - whatever a call raises, its requests get their answer
            self._on_failure(type(error).__name__, str(error))
            return requests
        again = []
        for request, result in answered:
            if not result.ok:
                self._on_failure(result.code, result.detail)
            if result.ok or not result.retryable:
                self._end(request, confirmed=result.ok)
            else:
                again.append(request)
        return again

    def _still_wanted(self, requests: list[Request]) -> list[Request]:
        now = self._clock.monotonic()
        wanted = []
        for request in requests:
            overtaken = request.beat and request.delivery.state is not DeliveryState.HELD
            if overtaken:
                self._end(request, confirmed=True)
            elif now >= request.delivery.lock_until:
                self._end(request, confirmed=False)
            else:
                wanted.append(request)
        return wanted

    def _end(self, request: Request, *, confirmed: bool) -> None:
        self._open.pop(request, None)
        if not request.done.done():
            request.done.set_result(confirmed)
