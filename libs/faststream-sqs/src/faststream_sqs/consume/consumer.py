"""One queue from receive to settle: permits, polls, buffer, handlers, heartbeat, settles.

Knows nothing of FastStream. Every delivery ends in `_finish`, the one place that gives its permit back:
when its delete or release is confirmed, when its lock is lost, or when nobody settled it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from faststream_sqs.clock import Clock
from faststream_sqs.consume.batch import SINGLE, Buffer
from faststream_sqs.consume.delivery import Delivery, DeliveryState, Log
from faststream_sqs.consume.drain import drain
from faststream_sqs.consume.heartbeat import HeartbeatLoop
from faststream_sqs.consume.lanes import KeyOf, Lanes
from faststream_sqs.consume.permits import Permits
from faststream_sqs.consume.poller import Poller
from faststream_sqs.consume.settler import Remembered, Settler
from faststream_sqs.consume.spell import Spell
from faststream_sqs.consume.workers import Backlog, Run, Workers
from faststream_sqs.parking import parked_copy
from faststream_sqs.schemas import MAX_BATCH, MAX_VISIBILITY_SECONDS, Batch, Fate, Heartbeat, Parking, Retry
from faststream_sqs.transport.protocol import QueueInfo, RawMessage, Transport, TransportError, explained
from faststream_sqs.transport.remedies import NO_PARKING, STALE

MAX_LANES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumeOptions:
    """How one queue is consumed; the defaults are those of `SQSBroker.subscriber`."""

    queue: str
    max_workers: int = 10
    prefetch: int = 10
    batch: Batch | None = None
    retry: Retry = field(default_factory=Retry)
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    parking: Parking | None = field(default_factory=Parking)
    wait_time: float = 20.0
    visibility: int = 60
    order: KeyOf | None = None

    def of_queue(self, queue: str) -> "ConsumeOptions":
        """The same for a queue whose whole name is known only now."""
        return replace(self, queue=queue)

    @property
    def permits(self) -> int:
        """Messages that may be held at one time."""
        size = self.batch.max_size if self.batch else 1
        return self.max_workers * size + self.prefetch

    @property
    def max_lanes(self) -> int:
        """Parallel polls that so many permits can feed."""
        return min(MAX_LANES, -(-self.permits // MAX_BATCH))


class QueueConsumer:
    """Receives, hands to `run`, settles. Started once; a restart takes a new one."""

    def __init__(
        self,
        options: ConsumeOptions,
        transport: Transport,
        clock: Clock,
        run: Run,
        log: Log,
    ) -> None:
        self._options = options
        self._transport = transport
        self._clock = clock
        self._run = run
        self._log = log
        self._queue: QueueInfo | None = None
        self._stopping = False
        self._stopped: asyncio.Task[None] | None = None
        self._background: set[asyncio.Future[None]] = set()
        self._beating: asyncio.Future[None] | None = None
        # SQS counts every receive; of those that were no failure only the process that released them knows
        self._uncounted = Remembered()
        self._failed_polls, self._failed_settles = Spell(clock), Spell(clock)
        self.settle_failures = 0
        self.held = 0
        self.permits = Permits(options.permits)
        self.settler = Settler(transport, self._url, clock, on_failure=self._settle_failed)
        self.workers = Workers(self._handle, self._backlog(), max_workers=options.max_workers)
        self.heartbeat = HeartbeatLoop(
            self._beat,
            self._lock_lost,
            clock,
            visibility=options.visibility,
            limit=options.heartbeat.limit if options.heartbeat.enabled else 0.0,
        )
        self.poller = Poller(
            self._receive,
            self._arrived,
            self.permits,
            clock,
            wait_seconds=options.wait_time,
            max_lanes=options.max_lanes,
            on_failure=self._poll_failed,
        )

    def start(self) -> None:
        """Begin to poll; a queue that cannot be found yet is looked for again and again."""
        self._beating = asyncio.ensure_future(self.heartbeat.run())
        self._background.add(self._beating)
        self.poller.start()

    async def stop(self, seconds: float) -> None:
        """Drain within so many seconds; a second call waits for the first."""
        if self._stopped is None:
            self._stopped = asyncio.get_running_loop().create_task(self._drain(seconds), name="sqs-drain")
        await asyncio.shield(self._stopped)

    @property
    def turning(self) -> bool:
        """Whether every loop of this queue makes progress: all polls, and the heartbeat."""
        beating = self._stopping or (self._beating is not None and not self._beating.done())
        return beating and self.poller.turning

    @property
    def paused(self) -> bool:
        """Whether a pause is on."""
        return self.poller.paused

    def pause(self) -> None:
        """Receive nothing more and hand nothing more to handlers; held messages stay ours."""
        self.workers.allowance = 0
        self.poller.pause()

    def resume(self) -> None:
        """Go on after a pause."""
        self.workers.allowance = None
        self.poller.resume()
        self.workers.pump()

    @property
    def found(self) -> bool:
        """Whether the queue's address is known."""
        return self._queue is not None

    # what the holder of a delivery may do: consume.delivery.Control

    async def ack(self, delivery: Delivery, *, confirm: bool = False) -> bool:
        """Ask for the delete; with `confirm`, wait for SQS to say so."""
        if not self._may_settle(delivery):
            if delivery.state in {DeliveryState.LOST, DeliveryState.LEFT}:
                # the work is done: if the message comes back to us, it is deleted unhandled
                self.settler.remembered.add(delivery.raw.message_id)
            return delivery.state is DeliveryState.SETTLED
        delivery.state = DeliveryState.SETTLING
        delivery.done = True
        done = self.settler.delete(delivery)
        done.add_done_callback(lambda future: self._settled(delivery, future))
        return await asyncio.shield(done) if confirm else True

    async def claim(self, delivery: Delivery) -> bool:
        """Delete it before it is handled; of several receives of a message one is claimed at most."""
        if delivery.state is not DeliveryState.HELD:
            return False
        delivery.state = DeliveryState.SETTLING
        deleted = self.settler.delete(delivery, handled=False)
        deleted.add_done_callback(lambda future: self._settled(delivery, future))
        message_id, confirmed = delivery.raw.message_id, await asyncio.shield(deleted)
        delivery.done = confirmed and message_id not in self.settler.remembered
        if delivery.done:
            self.settler.remembered.add(message_id)
        return delivery.done

    async def nack(self, delivery: Delivery, delay: float | None = None) -> None:
        """Try it again after the back-off, or park it once it failed often enough, or as its rule says."""
        options, fate = self._options, self._options.retry.fate(delivery.failure)
        if fate is Fate.DROP:
            await self.ack(delivery)
        elif options.parking is not None and (
            fate is Fate.PARK or delivery.attempts >= options.parking.after
        ):
            await self._park(delivery, "")
        else:
            await self._later(delivery, options.retry.delay(delivery.attempts) if delay is None else delay)

    async def reject(self, delivery: Delivery, reason: str = "") -> None:
        """Park it now; without parking, drop it."""
        if self._options.parking is None:
            await self.ack(delivery)
        else:
            await self._park(delivery, reason)

    async def release(self, delivery: Delivery, delay: float = 0) -> None:
        """Try it again after `delay` without a failure; returns when the request is on its way."""
        await self._later(delivery, delay, counts=False)

    async def extend(self, delivery: Delivery, seconds: float) -> bool:
        """Keep the lock for so many seconds from now."""
        if delivery.state is not DeliveryState.HELD:
            return False
        return await asyncio.shield(self._beat(delivery, seconds))

    # receiving

    def _url(self) -> str:
        if self._queue is None:
            raise TransportError("QueueNotFound", self._options.queue)
        return self._queue.url

    async def _receive(self, limit: int) -> Sequence[RawMessage]:
        if self._queue is None:
            self._queue = await self._transport.resolve(self._options.queue)
            self._tell_of_dead_letters(self._queue)
        return await self._transport.receive(
            self._queue.url,
            limit=limit,
            wait_seconds=self._options.wait_time,
            visibility=self._options.visibility,
        )

    def _arrived(self, messages: Sequence[RawMessage]) -> None:
        now = self._clock.monotonic()
        fresh = []
        for raw in messages:
            delivery = Delivery(
                raw, self._options.queue, self, received_at=now, lock_until=now + self._options.visibility
            )
            delivery.counted = True
            if uncounted := self._uncounted.times(raw.message_id):
                delivery.tries = -min(uncounted, raw.receive_count - 1)
            self.held += 1
            if raw.message_id in self.settler.remembered:
                self._spawn(self._delete_again(delivery))
            elif self._stopping:
                self._spawn(self._show(delivery))
            else:
                fresh.append(delivery)
                self.heartbeat.watch(delivery)
        self.workers.add(fresh)

    async def _delete_again(self, delivery: Delivery) -> None:
        await self.ack(delivery)

    async def _handle(self, group: Sequence[Delivery]) -> None:
        try:
            if fresh := await self._without_done(group):
                await self._run(fresh)
        except asyncio.CancelledError:
            for delivery in group:
                await self._show(delivery)
            raise
        finally:
            for delivery in group:
                if delivery.state is DeliveryState.HELD:
                    self._kept_or_left(delivery)

    async def _without_done(self, group: Sequence[Delivery]) -> Sequence[Delivery]:
        """Delete what was done under an earlier receive while this one waited."""
        fresh = []
        for delivery in group:
            if delivery.raw.message_id in self.settler.remembered:
                await self.ack(delivery)
            else:
                fresh.append(delivery)
        return fresh

    def _kept_or_left(self, delivery: Delivery) -> None:
        if self._stays_in_lane:
            if delivery.again is None:  # unsettled: on a queue it would return after its visibility
                delivery.keep(self._options.visibility, counts=True)
        elif delivery.again is not None:  # a drain began before its next try
            self._spawn(self._show(delivery, delivery.again))
        else:
            delivery.state = DeliveryState.LEFT
            self._finish(delivery)

    # settling

    @property
    def _stays_in_lane(self) -> bool:
        return self._options.order is not None and not self._stopping

    async def _later(self, delivery: Delivery, delay: float, *, counts: bool = True) -> None:
        if self._stays_in_lane and delivery.state is DeliveryState.HELD:
            delivery.keep(delay, counts=counts)
        else:
            if not counts:
                self._uncounted.add(delivery.raw.message_id)
            await self._show(delivery, delay)

    async def _show(self, delivery: Delivery, delay: float = 0) -> None:
        if not self._may_settle(delivery):
            return
        delivery.state = DeliveryState.SETTLING
        if delivery.extension is not None:
            await asyncio.wait((delivery.extension,))  # a late beat would undo the release
        left = delivery.received_at + MAX_VISIBILITY_SECONDS - 1 - self._clock.monotonic()
        done = self.settler.change(delivery, max(0.0, min(delay, left)))
        done.add_done_callback(lambda future: self._settled(delivery, future))

    def _show_all(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            self._spawn(self._show(delivery))

    def _may_settle(self, delivery: Delivery) -> bool:
        if delivery.state is DeliveryState.LEFT:
            return self._clock.monotonic() < delivery.lock_until
        return delivery.state is DeliveryState.HELD

    def _settled(self, delivery: Delivery, future: "asyncio.Future[bool]") -> None:
        confirmed = not future.cancelled() and future.result()
        delivery.state = DeliveryState.SETTLED if confirmed else DeliveryState.LOST
        self._finish(delivery)

    def _finish(self, delivery: Delivery) -> None:
        if delivery.counted:
            delivery.counted = False
            self.held -= 1
            self.permits.give()
            self.workers.gone(delivery)

    def _beat(self, delivery: Delivery, seconds: float) -> "asyncio.Future[bool]":
        asked_at = self._clock.monotonic()
        future = self.settler.change(delivery, seconds, beat=True)
        delivery.extension = future
        future.add_done_callback(lambda done: self._extended(delivery, asked_at + seconds, done))
        return future

    def _extended(self, delivery: Delivery, until: float, future: "asyncio.Future[bool]") -> None:
        delivery.extension = None
        if delivery.state is not DeliveryState.HELD:
            return
        if not future.cancelled() and future.result():
            delivery.lock_until = until
            self.heartbeat.watch(delivery)
        else:
            self._lock_lost(delivery)

    def _lock_lost(self, delivery: Delivery) -> None:
        delivery.state = DeliveryState.LOST
        message = f"message {delivery.raw.message_id} of {self._options.queue}"
        self._log(logging.WARNING, f"lost the lock of {message} ({STALE})", None)
        self._finish(delivery)
        if self._options.heartbeat.cancel_on_loss:
            self.workers.cancel_handler_of(delivery)

    async def _park(self, delivery: Delivery, reason: str) -> None:
        if not self._may_settle(delivery):
            return
        message = f"message {delivery.raw.message_id} of {self._options.queue}"
        try:
            target = await self._parking_url()
            copy = parked_copy(delivery, reason=reason, now=self._clock.time(), fifo=target.endswith(".fifo"))
            (result,) = await self._transport.send(target, [copy])
            failure = "" if result.ok else explained(result.code, result.detail)
        except TransportError as error:
            failure = str(error)
        if failure:
            self._log(logging.ERROR, f"parking {message} failed: {failure}", None)
            await self._later(delivery, self._options.retry.delay(delivery.attempts))
            return
        # FastStream logs what a handler raised, but not the outcome of a batch
        if self._options.batch is not None:
            why = reason or delivery.failure or "failed too often"
            self._log(logging.WARNING, f"parked {message}: {why}", None)
        await self.ack(delivery)

    async def _parking_url(self) -> str:
        parking = self._options.parking
        place = parking.queue if parking is not None else None
        try:
            if place is not None:
                return (await self._transport.resolve(place)).url
            if self._queue is None or self._queue.dead_letter_url is None:  # it may be there by now
                self._queue = await self._transport.resolve(self._options.queue)
        except TransportError as error:
            raise error.about(place or self._options.queue) from None
        if self._queue.dead_letter_url is None:
            raise TransportError("NoDeadLetterQueue", self._queue.dead_letter_fault or NO_PARKING)
        return self._queue.dead_letter_url

    def _tell_of_dead_letters(self, queue: QueueInfo) -> None:
        parking = self._options.parking
        if queue.dead_letter_fault and parking is not None and parking.queue is None:
            text = f"no dead-letter queue for {self._options.queue}: {queue.dead_letter_fault}"
            self._log(logging.WARNING, f"{text}; until it is there, nothing is parked but tried again", None)

    # ending

    async def _drain(self, seconds: float) -> None:
        self._stopping = True
        try:
            await drain(
                self.poller,
                self.workers,
                self.settler,
                release_buffered=self._release_buffered,
                seconds=seconds,
            )
        finally:
            for task in self._background:
                task.cancel()
            await asyncio.gather(*self._background, return_exceptions=True)

    async def _release_buffered(self) -> None:
        self._show_all(self.workers.close())

    def _backlog(self) -> Backlog:
        if self._options.order is None:
            return Buffer(self._options.batch or SINGLE)
        return Lanes(
            self._options.order,
            self._clock,
            wake=self._lane_ready,
            give_up=self._show_all,
            log=self._log,
        )

    def _lane_ready(self) -> None:
        self.workers.pump()

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _poll_failed(self, error: Exception, times: int) -> None:
        if count := self._failed_polls.note():
            text = f"receive from {self._options.queue} failed {count} times, {times} in a row: {error}"
            self._log(logging.ERROR, text, None if isinstance(error, TransportError) else error)

    def _settle_failed(self, code: str, detail: str) -> None:
        self.settle_failures += 1
        if count := self._failed_settles.note():
            reason = explained(code, detail)
            text = f"settling messages of {self._options.queue} failed {count} times: {reason}"
            self._log(logging.WARNING, text, None)
