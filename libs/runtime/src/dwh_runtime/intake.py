"""From a message to a typed event and from a handler's outcome to the message's fate.

Guarantees: a message is acknowledged only after its handler returned or its quarantine record is stored
(G1, G9); too many refusals in a row meter what passes (`brake`); an absent dependency stops receiving
(`gate`). Handlers never touch a receipt handle.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from dwh_contracts.clock import Clock, SystemClock
from dwh_contracts.parse import Event, parse_event
from dwh_contracts.quarantine import QuarantineReason, QuarantineRecord, Refused, quarantine_record
from faststream.exceptions import SetupError
from faststream_sqs import SQSBatchMessage, SQSBroker, SQSMessage

from dwh_runtime import metrics
from dwh_runtime.announce import Record, brake_announcer
from dwh_runtime.aws import Objects
from dwh_runtime.brake import PoisonBrake
from dwh_runtime.claim_checks import Expand, fetcher
from dwh_runtime.gate import Check, DependencyGate
from dwh_runtime.logging import bind_message, get_logger
from dwh_runtime.outcomes import Duplicate, Fatal, Poison, Retry, Unavailable
from dwh_runtime.settings import ServiceSettings
from dwh_runtime.valve import Valve

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event came from; recorded beside it, outside its hash."""

    topic: str | None
    sns_message_id: str | None
    sqs_message_id: str | None


@dataclass(frozen=True, slots=True)
class Received:
    """One understood message of a batch."""

    event: Event
    origin: Origin


Quarantine = Callable[[QuarantineRecord], Awaitable[object]]
Handler = Callable[[Event, Origin], Awaitable[None]]
Outcome = Poison | Retry | Duplicate | None
"""What became of one item of a batch; None is done."""
BatchHandler = Callable[[Sequence[Received]], Awaitable[Sequence[Outcome]]]

Fate = Exception | None
_ACKNOWLEDGED = (Poison, Duplicate)


class Intake:
    """One per queue; what `consume.py` hands its messages to."""

    def __init__(
        self,
        settings: ServiceSettings,
        service: str,
        quarantine: Quarantine,
        clock: Clock,
        *,
        brake: PoisonBrake,
        gate: DependencyGate,
        pressed: Callable[[], bool],
        unavailable: tuple[type[Exception], ...] = (),
        expand: Expand | None = None,
    ) -> None:
        """Open to what a handler needs.

        `unavailable`: exceptions by which a handler says that a dependency is away. `pressed`: whether one
        turns work away just now, so that a handler that took too long is not its message's fault.
        """
        self._settings = settings
        self._service = service
        self._quarantine = quarantine
        self._clock = clock
        self._unavailable = unavailable
        self._pressed = pressed
        self._expand = expand
        self._fatal: Fatal | None = None
        self._failed = asyncio.Event()
        self._refusing = asyncio.Lock()
        self.brake = brake
        self.gate = gate
        metrics.start_at_zero(metrics.QUARANTINED, service, QuarantineReason)
        metrics.END_TO_END_SECONDS.labels(service)

    @property
    def background(self) -> list[Callable[[], Awaitable[None]]]:
        """What the service runs beside the broker for this intake."""
        return [self.gate.run, self.brake.run, self._fail_when_told]

    async def parse(self, raw: bytes) -> Event:
        """The event in `raw`.

        Raises:
            Poison: it is none of this environment's events; the reason is the contract's.
        """
        read = partial(
            parse_event,
            raw,
            environment=self._settings.environment,
            now=self._clock.now(),
            expand=self._expand,
        )
        try:
            if self._expand is not None and b'"claim_check"' in raw:
                return await asyncio.to_thread(read)
            return read()
        except Refused as refused:
            raise Poison(refused.reason, refused.path, refused.detail) from None

    async def handle(self, message: SQSMessage, handler: Handler) -> None:
        """Run `handler` on one message and settle it by what comes out; raises nothing of the handler's."""

        async def of_one(received: Sequence[Received]) -> Sequence[Outcome]:
            await handler(received[0].event, received[0].origin)
            return [None]

        with bind_message(sqs_message_id=message.message_id, receive_count=message.receive_count):
            await self._run([message], of_one)

    async def handle_batch(self, batch: SQSBatchMessage, handler: BatchHandler) -> None:
        """Run `handler` on what a batch holds and settle item by item.

        Bad items are quarantined without the others noticing. While the brake is engaged items pass one
        by one, as single messages would.
        """
        waiting = list(batch.items)
        while waiting:
            group, waiting = (waiting[:1], waiting[1:]) if self.brake.engaged else (waiting, [])
            await self._run(group, handler)

    async def _run(self, messages: Sequence[SQSMessage], handler: BatchHandler) -> None:
        started = self._clock.monotonic()
        metrics.MESSAGES_RECEIVED.labels(self._service).inc(len(messages))
        try:
            turn = await self.brake.admit()
        except Retry as stopping:
            fates: list[Fate] = [stopping] * len(messages)
        else:
            fates = await self._handled(messages, handler)
            for index, message in enumerate(messages):
                fates[index] = await self._account(message, fates[index], turn=turn and index == 0)
        for message, fate in zip(messages, fates, strict=True):
            metrics.MESSAGES_HANDLED.labels(self._service, _LABELS.get(type(fate), "error")).inc()
            await _settle(message, fate)
        metrics.HANDLE_SECONDS.labels(self._service).observe(self._clock.monotonic() - started)

    async def _handled(self, messages: Sequence[SQSMessage], handler: BatchHandler) -> list[Fate]:
        """Parse all, let the handler see those understood, give each its fate; raises nothing."""
        fates: list[Fate] = [None] * len(messages)
        understood: dict[int, Received] = {}
        for index, message in enumerate(messages):
            try:
                understood[index] = Received(await self.parse(message.body), _origin(message))
            except Poison as poison:
                fates[index] = poison
            except self._unavailable as error:
                fates[index] = await self._away(error)
        if understood:
            outcomes = await self._outcomes(list(understood.values()), handler)
            for (index, received), outcome in zip(understood.items(), outcomes, strict=True):
                fates[index] = outcome
                if outcome is None:
                    lag = self._clock.now() - received.event.timestamp
                    metrics.END_TO_END_SECONDS.labels(self._service).observe(max(lag.total_seconds(), 0.0))
        return fates

    async def _outcomes(self, received: list[Received], handler: BatchHandler) -> Sequence[Fate]:
        keys = _keys(received[0].event) if len(received) == 1 else {"batch_size": len(received)}
        started = self._clock.monotonic()
        with bind_message(**keys):
            try:
                async with asyncio.timeout(self._settings.handler_seconds):
                    return await handler(received)
            except Fatal as fatal:
                self._fatal = fatal
                self._failed.set()
                fate: Exception = fatal
            except (Poison, Duplicate, Retry) as outcome:
                fate = outcome
            except TimeoutError:
                why = f"the handler took longer than {self._settings.handler_seconds:g} s"
                excused = self.gate.was_away_since(started) or self._pressed()
                fate = Unavailable(why) if excused else Retry(why)
            except self._unavailable as error:
                fate = await self._away(error)
            except Exception as error:  # the edge: the broker retries, then parks with details
                log.exception("handler_failed", error=str(error))
                fate = error
        return [fate] * len(received)

    async def _account(self, message: SQSMessage, fate: Fate, *, turn: bool) -> Fate:
        """Quarantine what is poison, and tell the brake; `turn` when the message took a metered one."""
        if isinstance(fate, Poison):
            try:
                async with self._refusing:  # one at a time, or handlers in parallel would overrun the limit
                    if not turn:
                        await self.brake.admit()
                    await self._refuse(message, fate)
                    await self.brake.refused()
            except Retry as stopping:
                return stopping
            except self._unavailable as error:
                return await self._away(error)
        elif fate is None or isinstance(fate, Duplicate):
            await self.brake.good()
        elif isinstance(fate, Retry):
            log.info("message_retried", why=fate.why, after_seconds=fate.after)
        return fate

    async def _away(self, error: Exception) -> Retry:
        await self.gate.trip(type(error).__name__, str(error))
        return Unavailable(str(error))

    async def _refuse(self, message: SQSMessage, poison: Poison) -> None:
        record = quarantine_record(
            self._service,
            _origin(message).topic,
            message.body,
            dict(message.headers),
            Refused(poison.reason, poison.path, poison.detail),
            self._clock.now(),
        )
        await self._quarantine(record)
        metrics.QUARANTINED.labels(self._service, poison.reason.value).inc()
        log.warning(
            "message_quarantined",
            quarantine_id=record.quarantine_id,
            reason=poison.reason.value,
            path=poison.path,
            detail=poison.detail,
        )

    async def _fail_when_told(self) -> None:
        await self._failed.wait()
        if self._fatal is not None:
            raise self._fatal


_LABELS: Mapping[type, str] = {
    type(None): "done",
    Duplicate: "duplicate",
    Poison: "quarantined",
    Retry: "retry",
    Unavailable: "retry",
    Fatal: "fatal",
}


def open_intake(
    settings: ServiceSettings,
    service: str,
    broker: SQSBroker,
    *,
    quarantine: Quarantine,
    checks: Mapping[str, Check],
    pressed: Callable[[], bool],
    unavailable: tuple[type[Exception], ...] = (),
    clock: Clock | None = None,
    record: Record | None = None,
    objects: Objects | None = None,
) -> Intake:
    """The intake of `settings.queue_url`, with its brake and gate on one valve.

    `objects` fetches events that travel by claim check; without it they are refused. `record` keeps
    what the brake does as facts.
    """
    clock = clock or SystemClock()
    valve = Valve(*_switch(broker, settings.queue_url))
    announce = brake_announcer(
        settings.queue_url.rpartition("/")[2],
        environment=settings.environment,
        service=service,
        clock=clock,
        record=record,
    )
    brake = PoisonBrake(
        partial(valve.close, "poison"), partial(valve.open, "poison"), clock, announce=announce
    )
    gate = DependencyGate(
        checks, partial(valve.close, "dependency"), partial(valve.open, "dependency"), clock
    )
    return Intake(
        settings,
        service,
        quarantine,
        clock,
        brake=brake,
        gate=gate,
        unavailable=unavailable,
        pressed=pressed,
        expand=fetcher(objects) if objects is not None else None,
    )


def _switch(
    broker: SQSBroker, queue: str
) -> tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]:
    """Pause and resume; both do nothing before the broker starts and after it stopped."""

    async def pause() -> None:
        with suppress(SetupError):
            await broker.pause(queue)

    async def resume() -> None:
        with suppress(SetupError):
            await broker.resume(queue)

    return pause, resume


async def _settle(message: SQSMessage, fate: Fate) -> None:
    """Say what becomes of the message; what is left unsaid the broker acknowledges after the handler."""
    if fate is None or isinstance(fate, _ACKNOWLEDGED):
        return
    message.raw_message.failure = fate  # a parking record names it
    if isinstance(fate, Fatal):
        await message.release(0)
    elif not isinstance(fate, Retry):
        await message.nack()
    elif isinstance(fate, Unavailable):
        await message.release(Unavailable.wait_seconds(message.receive_count))
    elif fate.counted:
        await message.nack(fate.after)
    else:
        await message.release(fate.after or 0)


def _origin(message: SQSMessage) -> Origin:
    sns = message.sns
    return Origin(
        topic=sns.topic_arn if sns is not None else None,
        sns_message_id=sns.message_id if sns is not None else None,
        sqs_message_id=message.message_id,
    )


def _keys(event: Event) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "job_name": event.job_name,
        "job_run_id": event.job_run_id,
        "attempt": event.attempt,
    }
