"""Where the messages of the handler-facing suite come from."""

from contextlib import asynccontextmanager
from typing import ClassVar

from faststream_sqs import SQSBroker, TestSQSBroker
from faststream_sqs.testing import MemoryTransport


class InTheTestBroker:
    """No queue: what is published goes straight to its handlers."""

    options: ClassVar = {"wait_time": 0}

    def broker(self, **options):
        return SQSBroker(logger=None, **options)

    @asynccontextmanager
    async def running(self, broker):
        async with TestSQSBroker(broker) as started:
            yield started

    async def queue(self, name, *, fifo=False):
        return f"{name}.fifo" if fifo else name

    async def topic(self, name, queue, *, raw=True):
        return f"arn:aws:sns:us-east-1:000000000000:{name}"

    def prefixed(self, name):
        return name


class InMemory(InTheTestBroker):
    """Queues of a `MemoryTransport`."""

    options: ClassVar = {"wait_time": 0.05}

    def __init__(self):
        self.transport = MemoryTransport()

    def broker(self, **options):
        return SQSBroker(transport=self.transport, graceful_timeout=2, logger=None, **options)

    @asynccontextmanager
    async def running(self, broker):
        async with broker:
            await broker.start()
            yield broker

    async def queue(self, name, *, fifo=False):
        name = f"{name}.fifo" if fifo else name
        self.transport.create_queue(name)
        return name

    async def topic(self, name, queue, *, raw=True):
        arn = self.transport.create_topic(name)
        self.transport.subscribe(arn, queue, raw=raw)
        return arn
