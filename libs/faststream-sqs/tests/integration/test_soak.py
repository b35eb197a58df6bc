"""A consumer process under a steady load of which one call in a hundred fails."""

import asyncio
import dataclasses
import os
import signal
import statistics
import time

import pytest
from consumer_process import Consumer, Notes
from faststream_sqs.testing import eventually
from faststream_sqs.testing.canned import CannedSQS
from faststream_sqs.testing.proxy import (
    Disturbance,
    Effect,
    FaultProxy,
    black_hole,
    delay,
    reset,
    server_error,
    throttling,
)

pytestmark = pytest.mark.integration

EXPIRED = Disturbance(effect=Effect.ERROR, code="ExpiredToken", status=403)
ONE_PERCENT = (
    server_error(share=0.0025),
    throttling(share=0.0020),
    reset(share=0.0020),
    reset(share=0.0015, after=True),
    delay(0.5, share=0.0010),
    black_hole(share=0.0005),
    dataclasses.replace(EXPIRED, share=0.0005),
)
MESSAGES_PER_SECOND = 100
GROWTH_KIB = 4096
"""Resident memory: median of the last quarter against that of the second."""

LENGTHS = [
    pytest.param(120, id="2min", marks=pytest.mark.timeout(420)),
    pytest.param(1800, id="30min", marks=[pytest.mark.prove, pytest.mark.timeout(2400)]),
]


async def load(queue, seconds):
    """How many messages it put there."""
    until, sent = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        queue.load(str(n) for n in range(sent, sent + 10))
        sent += 10
        await asyncio.sleep(10 / MESSAGES_PER_SECOND)
    return sent


def quarters(samples):
    """Median of the second and of the last quarter: the first one warms up."""
    size = len(samples) // 4
    return statistics.median(samples[size : 2 * size]), statistics.median(samples[-size:])


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_memory_tasks_and_sockets_stay_flat_under_one_percent_of_faults(seconds, tmp_path):
    async with CannedSQS() as server, FaultProxy(server.url, seed=seconds) as proxy:
        queue = server.queue("orders")
        await proxy.disturb(EXPIRED)
        consumer = Consumer(
            endpoint=proxy.url,
            queue="orders",
            notes=tmp_path / "notes",
            visibility=10,
            handling_seconds=0.005,
            sample_seconds=seconds / 120,
        )
        process = consumer.start()
        await eventually(lambda: proxy.met)  # the first renewal of clients belongs to the warming up
        await proxy.disturb(*ONE_PERCENT)
        sent = await load(queue, seconds)
        await eventually(lambda: queue.left == 0, seconds=150)
        os.kill(process.pid, signal.SIGTERM)
        await eventually(lambda: not process.is_alive(), seconds=60)
    noted = Notes.read(consumer.notes)
    print(f"{sum(proxy.calls.values())} calls, {dict(proxy.met)}")
    for what in ("resident_kib", "tasks", "sockets"):
        print(f"{what}: {noted[what][:: max(1, len(noted[what]) // 30)]}, quarters {quarters(noted[what])}")
    assert sum(proxy.met.values()) > sum(proxy.calls.values()) * 0.005
    assert sorted(noted["handled"]) == list(range(sent))  # each once
    before, after = quarters(noted["resident_kib"])
    assert after - before <= GROWTH_KIB
    for what in ("tasks", "sockets"):
        before, after = quarters(noted[what])
        assert after <= before + 2, what
