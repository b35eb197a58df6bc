"""Consumers that are told to end, or are killed, at random instants under load.

The seed of a run is printed; KILL_SEED repeats its instants.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter

import pytest
from consumer_process import Consumer
from faststream_sqs.transport.protocol import OutgoingMessage

pytestmark = pytest.mark.integration

MESSAGES = 300
WAITING = 100  # sent before the consumer starts; the others while it works and ends
LOAD_SECONDS = 1.0
STUCK_SECONDS = 1.0
SIDE_BY_SIDE = 6
INSTANTS = [
    pytest.param(20, id="20"),
    pytest.param(200, id="200", marks=[pytest.mark.prove, pytest.mark.timeout(1800)]),
]


async def until(condition):
    """Ask now and then only: several processes share the machine with the asker."""
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - other processes are asked
            await asyncio.sleep(0.02)


class Trial:
    """One consumer process on one queue, ended at one instant."""

    def __init__(self, topology, transport, consumer, instant):
        self._topology = topology
        self._transport = transport
        self._consumer = consumer
        self._instant = instant
        self.name = f"{instant:.3f} s after its first message, {consumer}"
        self.left = []

    async def end_by(self, signal_number, *, within):
        """Run, send the signal, take what is left; nothing may be in flight `within` seconds after."""
        await self._send(range(WAITING))
        process = self._consumer.start()
        await until(lambda: self._consumer.noted("started"))
        sending = asyncio.create_task(self._send(range(WAITING, MESSAGES), LOAD_SECONDS))
        await asyncio.sleep(self._instant)
        os.kill(process.pid, signal_number)
        await until(lambda: not process.is_alive())
        ended = time.monotonic()
        assert process.exitcode == (0 if signal_number == signal.SIGTERM else -signal_number), self.name
        await self._nothing_in_flight(ended + within)
        await sending
        self.left = await self._take_all()

    @property
    def started(self):
        return self._consumer.noted("started")

    @property
    def handled(self):
        return self._consumer.noted("handled")

    @property
    def cut(self):
        return self._consumer.noted("cut")

    async def _send(self, numbers, seconds=0.0):
        pause = seconds * 10 / len(numbers)
        for start in range(numbers.start, numbers.stop, 10):
            messages = [OutgoingMessage(str(n)) for n in range(start, start + 10)]
            assert all(result.ok for result in await self._transport.send(self._consumer.queue, messages))
            await asyncio.sleep(pause)

    async def _nothing_in_flight(self, until):
        while True:
            asked = time.monotonic()
            _, in_flight = await self._topology.counts(self._consumer.queue)
            if not in_flight:
                return
            assert asked < until, f"{in_flight} messages are stuck: {self.name}"
            await asyncio.sleep(0.05)

    async def _take_all(self):
        bodies = []
        while messages := await self._transport.receive(
            self._consumer.queue, limit=10, wait_seconds=0, visibility=60
        ):
            bodies += [int(message.body) for message in messages]
        assert await self._topology.counts(self._consumer.queue) == (0, len(bodies)), self.name
        return bodies


@pytest.fixture
def trials(endpoint, topology, transport, tmp_path):
    """Runs so many trials, a few at a time."""

    async def run(count, signal_number, *, visibility, within):
        seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(10**6))
        print(f"{count} times {signal_number.name}, KILL_SEED={seed}")
        chance, turn = random.Random(seed), asyncio.Semaphore(SIDE_BY_SIDE)
        trials = []
        for n in range(count):
            consumer = Consumer(
                endpoint=endpoint,
                queue=await topology.queue(f"kill-{n}"),
                notes=tmp_path / str(n),
                visibility=visibility,
                endless=3 if n % 5 == 4 else 0,
            )
            trials.append(Trial(topology, transport, consumer, chance.uniform(0, LOAD_SECONDS)))

        async def one(trial):
            async with turn:
                await trial.end_by(signal_number, within=within)

        async with asyncio.TaskGroup() as group:
            for trial in trials:
                group.create_task(one(trial))
        return trials

    return run


def report(trials):
    done = Counter()
    for trial in trials:
        handled, left = trial.handled, set(trial.left)
        done += Counter(
            sent=MESSAGES,
            handled=len(handled),
            left=len(left),
            cut=len(trial.cut),
            both_handled_and_left=len(handled.keys() & left),
            lost=MESSAGES - len(handled.keys() | left),
        )
    print(dict(done))
    return done


@pytest.mark.parametrize("instants", INSTANTS)
async def test_sigterm_under_load_loses_nothing_and_after_a_second_sticks_nothing(trials, instants):
    ended = await trials(instants, signal.SIGTERM, visibility=60, within=STUCK_SECONDS)
    done = report(ended)
    for trial in ended:
        handled, left = trial.handled, set(trial.left)
        assert handled.keys() | left == set(range(MESSAGES)), trial.name
        assert set(handled.values()) == {1}, trial.name
        assert len(left) == len(trial.left), trial.name
        assert trial.started.keys() & left <= trial.cut.keys(), trial.name  # only they are begun again
        assert not handled.keys() & left, trial.name
    assert done["cut"] > 0


@pytest.mark.parametrize("instants", INSTANTS)
async def test_kill_9_under_load_loses_nothing_and_sticks_nothing_beyond_the_visibility(trials, instants):
    ended = await trials(instants, signal.SIGKILL, visibility=3, within=3 + STUCK_SECONDS)
    report(ended)
    for trial in ended:
        handled, left = trial.handled, set(trial.left)
        assert handled.keys() | left == set(range(MESSAGES)), trial.name
        assert len(left) == len(trial.left), trial.name
        assert len(trial.started.keys() & left) <= trial._consumer.permits, trial.name  # what it held
