import asyncio
import os
import random
import signal
from collections import Counter

import pytest
from faststream import FastStream
from faststream_sqs import SQSBroker
from faststream_sqs.testing import eventually

pytestmark = pytest.mark.integration

MESSAGES = 200


class Process:
    """A consumer of one queue; of its handlers a share outlives the grace period and is cut."""

    def __init__(self, endpoint, url, endless):
        self.started = Counter()
        self.handled = Counter()
        self.cut = Counter()
        self.broker = SQSBroker("us-east-1", endpoint_url=endpoint, graceful_timeout=3, logger=None)
        chance = random.Random(1)

        @self.broker.subscriber(url, wait_time=1, max_workers=8)
        async def on_order(body: int):
            self.started[body] += 1
            try:
                await (asyncio.Event().wait() if chance.random() < endless else asyncio.sleep(0.005))
            except asyncio.CancelledError:
                self.cut[body] += 1
                raise
            self.handled[body] += 1

    async def until_sigterm(self, seconds):
        """Run until so many seconds after the first message; SIGTERM reaches this very process."""
        running = asyncio.create_task(FastStream(self.broker, logger=None).run())
        await eventually(lambda: self.started, seconds=20)
        await asyncio.sleep(seconds)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(3 + 2):
            await running


async def test_sigterm_under_load_at_twenty_instants_loses_and_sticks_nothing(endpoint, topology):
    cut = 0
    for instant in range(20):
        url = await topology.queue(f"orders-{instant}")
        process = Process(endpoint, url, endless=0.05 if instant % 5 == 4 else 0)
        await process.broker.connect()
        await process.broker.publish_batch(*range(MESSAGES), target=url)
        await process.until_sigterm(instant * 0.02)
        visible, in_flight = await topology.counts(url)
        assert (in_flight, visible + len(process.handled)) == (0, MESSAGES), f"instant {instant}"
        assert set(process.handled.values()) == {1}
        assert not process.cut.keys() & process.handled.keys()
        cut += len(process.cut)
    assert cut > 0
