"""Stopping one consumer without losing or sticking a message, against one deadline.

1. No further polls; buffered messages are shown again at once.
2. Running handlers finish, their heartbeats on; what live polls still bring is shown again at once.
3. Settles are flushed.
4. What is left is cancelled, its messages released, everything awaited.
"""

import asyncio
from collections.abc import Awaitable, Callable

from faststream_sqs.consume.poller import Poller
from faststream_sqs.consume.settler import Settler
from faststream_sqs.consume.workers import Workers

FLUSH_SHARE = 0.1
"""This share of the time is kept for the last flush."""

FLUSH_SECONDS = 2.0
"""... but no more than this."""


async def drain(
    poller: Poller,
    workers: Workers,
    settler: Settler,
    *,
    release_buffered: Callable[[], Awaitable[None]],
    seconds: float,
) -> None:
    """Run the four phases; returns at the deadline at the latest, plus the final cancellations."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    work_until = deadline - min(FLUSH_SECONDS, seconds * FLUSH_SHARE)

    poller.stop()
    await release_buffered()
    await workers.wait_idle(work_until - loop.time())
    await _flush(settler, deadline - loop.time())
    await poller.wait_ended(max(0.0, work_until - loop.time()))
    await workers.cancel()
    await poller.cancel()
    await _flush(settler, max(0.5, deadline - loop.time()))
    await settler.close()


async def _flush(settler: Settler, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await settler.flush()
    except TimeoutError:
        pass
