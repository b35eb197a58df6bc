import pytest
from faststream_sqs.testing import JumpingClock, MemoryTransport
from faststream_sqs.testing.suite import QueueSemanticsSuite


class MemoryTopology:
    def __init__(self, transport):
        self._transport = transport

    async def queue(self, name, *, dead_letters=None, max_receives=10, fifo=False):
        full_name = f"{name}.fifo" if fifo else name
        return self._transport.create_queue(full_name, dead_letters=dead_letters, max_receives=max_receives)

    async def delete(self, queue_url):
        self._transport.delete_queue(queue_url)

    async def topic(self, name):
        return self._transport.create_topic(name)

    async def subscribe(self, topic_arn, queue_url, *, raw):
        self._transport.subscribe(topic_arn, queue_url, raw=raw)


class TestMemoryTransport(QueueSemanticsSuite):
    @pytest.fixture
    def transport(self):
        return MemoryTransport(JumpingClock())

    @pytest.fixture
    def topology(self, transport):
        return MemoryTopology(transport)
