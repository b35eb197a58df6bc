"""An SQS consumer in a process of its own, forked from one that has imported everything.

What its handlers do is noted in a file at once, so that it is known after kill -9, too.
"""

import asyncio
import itertools
import multiprocessing
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from faststream import FastStream
from faststream_sqs import SQSBroker

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pytest", "faststream_sqs", "aiobotocore.session", "faststream"])
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


class Notes:
    """Lines of a word and a number that outlive their writer."""

    def __init__(self, path):
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def add(self, word, number):
        os.write(self._file, f"{word} {number}\n".encode())

    @staticmethod
    def read(path):
        """All numbers by their word, in order."""
        noted = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            word, number = line.split()
            noted.setdefault(word, []).append(int(number))
        return noted


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """One queue of numbers; the handler that starts as number `endless` goes on until it is cut."""

    endpoint: str
    queue: str
    notes: Path
    visibility: int
    grace: float = 3.0
    wait_time: int = 1
    workers: int = 8
    prefetch: int = 10
    handling_seconds: float = 0.02
    endless: int = 0
    sample_seconds: float | None = None

    @property
    def permits(self):
        return self.workers + self.prefetch

    def start(self):
        process = FORKS.Process(target=_run, args=(self,), daemon=True)
        process.start()
        return process

    def noted(self, word):
        """How often what was noted."""
        return Counter(Notes.read(self.notes).get(word, ()))


def _run(consumer):
    os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    asyncio.run(_consume(consumer))


async def _consume(consumer):
    notes, starts = Notes(consumer.notes), itertools.count(1)
    broker = SQSBroker(
        "us-east-1", endpoint_url=consumer.endpoint, graceful_timeout=consumer.grace, logger=None
    )

    @broker.subscriber(
        consumer.queue,
        wait_time=consumer.wait_time,
        visibility=consumer.visibility,
        max_workers=consumer.workers,
        prefetch=consumer.prefetch,
    )
    async def on_number(body: int):
        notes.add("started", body)
        try:
            if next(starts) == consumer.endless:
                await asyncio.Event().wait()
            await asyncio.sleep(consumer.handling_seconds)
        except asyncio.CancelledError:
            notes.add("cut", body)
            raise
        notes.add("handled", body)

    sampling = asyncio.create_task(_sample(notes, consumer.sample_seconds))
    await FastStream(broker, logger=None).run()
    sampling.cancel()


async def _sample(notes, seconds):
    while seconds is not None:
        notes.add("sockets", _sockets())
        notes.add("tasks", len(asyncio.all_tasks()))
        notes.add("resident_kib", int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KIB)  # noqa: ASYNC240 - in memory
        await asyncio.sleep(seconds)


def _sockets():
    links = [descriptor for descriptor in Path("/proc/self/fd").iterdir() if descriptor.is_symlink()]
    return sum(str(link.readlink()).startswith("socket:") for link in links)
