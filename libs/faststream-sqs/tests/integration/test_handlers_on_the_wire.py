"""The handler-facing suite through aiobotocore, sockets and the AWS stand-in."""

from typing import ClassVar

import pytest
from faststream_sqs import SQSBroker
from handler_places import InMemory
from handler_suite import HandlerSuite

pytestmark = pytest.mark.integration


class OnTheWire(InMemory):
    """Queues and topics of the stand-in; polls do not wait, so that a stop does not either."""

    options: ClassVar = {"wait_time": 0}

    def __init__(self, endpoint, topology, session):
        self._session = session
        self._endpoint = endpoint
        self._topology = topology

    def broker(self, **options):
        return SQSBroker(
            "us-east-1",
            endpoint_url=self._endpoint,
            session_factory=lambda: self._session,
            graceful_timeout=5,
            logger=None,
            **options,
        )

    async def queue(self, name, *, fifo=False):
        return await self._topology.queue(name, fifo=fifo)

    async def topic(self, name, queue, *, raw=True):
        arn = await self._topology.topic(name)
        await self._topology.subscribe(arn, queue, raw=raw)
        return arn

    def prefixed(self, name):
        return name.rpartition("/")[2]


class TestOnTheWire(HandlerSuite):
    @pytest.fixture
    def place(self, endpoint, topology, session):
        return OnTheWire(endpoint, topology, session)
