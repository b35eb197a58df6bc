"""Whatever happens to messages, permits out are messages held or asked for, and all come back."""

import asyncio
import random

from faststream_sqs.consume.consumer import ConsumeOptions, QueueConsumer
from faststream_sqs.schemas import Batch, Heartbeat, Retry
from faststream_sqs.testing import eventually
from faststream_sqs.transport.protocol import EntryResult, QueueInfo, RawMessage, TransportError

HASTE = 300.0
OK = EntryResult(ok=True)
BUSY = EntryResult(ok=False, code="InternalError", retryable=True)
GONE = EntryResult(ok=False, code="ReceiptHandleIsInvalid")


class HastyClock:
    """Five minutes a second."""

    def monotonic(self):
        return asyncio.get_running_loop().time() * HASTE

    def time(self):
        return self.monotonic()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds / HASTE)


class Chaos:
    """A transport where everything goes wrong sometimes, with messages until there are none."""

    def __init__(self, chance, messages):
        self.chance = chance
        self.messages = messages
        self.given = 0

    async def resolve(self, queue):
        return QueueInfo("memory://queue", "memory://dead")

    async def receive(self, queue_url, *, limit, wait_seconds, visibility):
        await asyncio.sleep(0)
        self.may_fail()
        if self.given >= self.messages:
            await asyncio.sleep(0.01)
            return []
        count = self.chance.choice((limit, limit, self.chance.randint(0, limit)))
        numbers = range(self.given, self.given + count)
        self.given += count
        return [self.message(n if self.chance.random() > 0.05 else n - 1000) for n in numbers]

    def message(self, number):
        system = {
            "ApproximateReceiveCount": str(self.chance.randint(1, 6)),
            "MessageGroupId": str(number % 40),
        }
        return RawMessage(f"m{number}", f"r{number}-{self.given}", "", {}, system)

    async def delete(self, queue_url, receipts):
        return await self.settle(receipts)

    async def change_visibility(self, queue_url, changes):
        return await self.settle(changes)

    async def send(self, queue_url, messages):
        return await self.settle(messages)

    async def settle(self, entries):
        await asyncio.sleep(self.chance.choice((0, 0, 0.01)))
        self.may_fail()
        return self.chance.choices((OK, BUSY, GONE), (90, 5, 5), k=len(entries))

    def may_fail(self):
        if self.chance.random() < 0.03:
            raise TransportError("ThrottlingException", "")


class Handler:
    """Does to each message one or two of all things that can be done."""

    def __init__(self, chance):
        self.chance = chance
        self.check = lambda: None
        self.handled = 0
        self.late = set()

    async def __call__(self, group):
        self.handled += len(group)
        await asyncio.sleep(self.chance.choice((0, 0, 0, 0.3)) if self.handled % 50 == 0 else 0)
        for delivery in group:
            for _ in range(self.chance.randint(1, 2)):
                await self.settle(delivery)
            self.check()
        if self.chance.random() < 0.1:
            raise OSError
        if self.chance.random() < 0.02:
            raise asyncio.CancelledError

    async def settle(self, delivery):
        control, kind = delivery.control, self.chance.randrange(10)
        if kind < 4:
            await control.ack(delivery)
        elif kind == 4:
            await control.ack(delivery, confirm=True)
        elif kind == 5:
            delivery.failure = self.chance.choice((None, ValueError(), KeyError(), OSError()))
            await control.nack(delivery, self.chance.choice((None, 0, 5)))
        elif kind == 6:
            await control.reject(delivery, "bad")
        elif kind == 7:
            await control.release(delivery, 1)
        elif kind == 8:
            await control.extend(delivery, self.chance.choice((1, 100)))
        else:  # somebody settles it after its handler
            task = asyncio.create_task(self.settle_late(delivery))
            self.late.add(task)
            task.add_done_callback(self.late.discard)

    async def settle_late(self, delivery):
        await asyncio.sleep(self.chance.choice((0, 0.02, 0.3)))
        await delivery.control.ack(delivery)


OPTIONS = {
    "single": {},
    "batch": {"batch": Batch(10, 0.005), "max_workers": 20},
    "order": {"order": lambda delivery: delivery.raw.system["MessageGroupId"]},
    "no heartbeat": {"heartbeat": Heartbeat(enabled=False), "parking": None},
    "cancelling": {"heartbeat": Heartbeat(cancel_on_loss=True)},
}


async def check_invariant(options, messages, seconds):
    """Hand out so many messages, each with an outcome by chance, and look at the permits after every one."""
    chance = random.Random(1)
    transport, handler = Chaos(chance, messages), Handler(chance)
    retry = Retry(delays=(1,), park_on=(KeyError,), drop_on=(ValueError,))
    settings = ConsumeOptions(
        **({"queue": "q", "max_workers": 200, "prefetch": 100, "visibility": 30, "retry": retry} | options)
    )
    consumer = QueueConsumer(settings, transport, HastyClock(), handler, lambda *_: None)

    def check():
        asked = consumer.permits.taken - consumer.held
        assert 0 <= asked <= 10 * settings.max_lanes
        assert 0 <= consumer.workers.buffered <= consumer.held

    handler.check = check
    consumer.start()
    await eventually(lambda: transport.given >= messages and consumer.held == 0, seconds=seconds)
    check()
    await consumer.stop(1)
    assert (consumer.permits.taken, consumer.held) == (0, 0)
    assert handler.handled > messages / 4
