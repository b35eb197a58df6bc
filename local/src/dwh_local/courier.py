"""Deliver messages the way a bad day would: several times each, late, and out of order.

With faults on, topics and the orchestrator fill queues `…-held`; this process carries every message from
there to the real queue. A held message is deleted after all its copies are sent, so a killed courier loses
nothing.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dwh_local.aws import client
from dwh_local.consumers import load_consumers
from dwh_local.system import ENVIRONMENT, Faults
from dwh_local.topology import Names, held_name

WINDOW_SECONDS = 1.5
LONGEST_HOLD_WINDOWS = 3
BATCH = 10


@dataclass(slots=True)
class Copy:
    """One delivery that is still to be made; `parcel` is shared by the copies of one message."""

    parcel: Parcel
    windows: int = 0


@dataclass(slots=True)
class Parcel:
    """A held message and how many of its copies are still to be sent."""

    message: dict[str, Any]
    left: int = field(default=0)


@dataclass(slots=True)
class Shuffle:
    """Which copies leave in which window. Pure: order and delay follow from the seed and the arrivals."""

    faults: Faults
    rng: random.Random = field(init=False)
    waiting: list[Copy] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.faults.seed)  # noqa: S311 - reproducible, not secret

    def add(self, message: dict[str, Any]) -> None:
        """A message arrived."""
        parcel = Parcel(message, self.faults.copies)
        self.waiting += [Copy(parcel) for _ in range(self.faults.copies)]

    def leaving(self) -> list[Copy]:
        """The copies that leave in this window: all in order, or with a seed about half of them shuffled."""
        if self.faults.seed is None:
            leaving, self.waiting = self.waiting, []
            return leaving
        chosen = [c for c in self.waiting if c.windows >= LONGEST_HOLD_WINDOWS or self.rng.random() < 0.5]  # noqa: PLR2004 - a coin
        self.waiting = [copy for copy in self.waiting if all(copy is not gone for gone in chosen)]
        for copy in self.waiting:
            copy.windows += 1
        self.rng.shuffle(chosen)
        return chosen


@dataclass(slots=True)
class Courier:
    """Carries one queue."""

    sqs: Any
    source_url: str
    target_url: str
    shuffle: Shuffle
    monotonic: Callable[[], float] = time.monotonic

    def run(self, stopped: threading.Event) -> None:
        """Carry until stopped."""
        while not stopped.is_set():
            self.step()

    def step(self) -> None:
        """One window: take what arrived, send what leaves."""
        wait = WINDOW_SECONDS if self.shuffle.faults.seed is not None else 0.0
        deadline = self.monotonic() + wait
        self._take(1 if self.shuffle.waiting else 20)
        while self.monotonic() < deadline:
            self._take(1)
        for copy in self.shuffle.leaving():
            self._deliver(copy)

    def _take(self, wait_seconds: int) -> None:
        answer = self.sqs.receive_message(
            QueueUrl=self.source_url,
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=wait_seconds,
            MessageAttributeNames=["All"],
        )
        for message in answer.get("Messages", []):
            self.shuffle.add(message)

    def _deliver(self, copy: Copy) -> None:
        message = copy.parcel.message
        self.sqs.send_message(
            QueueUrl=self.target_url,
            MessageBody=message["Body"],
            MessageAttributes=message.get("MessageAttributes", {}),
        )
        copy.parcel.left -= 1
        if copy.parcel.left == 0:
            self.sqs.delete_message(QueueUrl=self.source_url, ReceiptHandle=message["ReceiptHandle"])


def main(argv: Sequence[str] | None = None) -> None:
    """Carry all queues until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args(argv)
    names = Names(os.environ["AWS_ENDPOINT_URL"], ENVIRONMENT)
    sqs, stopped = client("sqs", names.endpoint_url), threading.Event()
    threads = []
    for queue in load_consumers().all_queues():
        source, target = names.queue_url(held_name(queue)), names.queue_url(queue)
        courier = Courier(sqs, source, target, Shuffle(Faults(given.copies, given.seed)))
        threads.append(threading.Thread(target=courier.run, args=(stopped,), daemon=True))
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    for thread in threads:
        thread.start()
    while not stopped.wait(1) and all(thread.is_alive() for thread in threads):
        pass


if __name__ == "__main__":
    main()
