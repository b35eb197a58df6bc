"""Handlers of one process at one incident: in turn, one write for all who wait."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from alerts_line import NOW, Line, a_line, finished
from dwh_alerts.decide import signals_of_run
from dwh_alerts.effects import head_key
from dwh_alerts.turns import MOST_TOGETHER, Turns
from dwh_contracts.clock import ManualClock, SystemClock
from dwh_contracts.events import JobCompleted
from dwh_eventstore import MemoryBackend
from dwh_eventstore.backend import Found, Write, Written
from dwh_runtime.testing import MemoryAws

KEY = head_key("dev/transform_images/quality")


class OthersRunMeanwhile(MemoryBackend):
    """As with a node: whoever reads or writes lets others go on."""

    async def read(self, references: Sequence[tuple[str, str]]) -> list[Found | None]:
        await asyncio.sleep(0)
        return await super().read(references)

    async def write(self, writes: Sequence[Write]) -> list[Written]:
        await asyncio.sleep(0)
        return await super().write(writes)


@pytest.fixture
def line() -> Line:
    return a_line(OthersRunMeanwhile(), MemoryAws(), ManualClock(NOW))


async def version(line: Line) -> int:
    stored = await line.store.effects.get(KEY)
    assert stored is not None
    return stored.seq_no


async def test_of_a_hundred_green_runs_at_once_none_loses_and_the_head_is_written_at_most_six_times(
    line: Line,
) -> None:
    runs = [finished("GREEN", f"run-{n}", at=NOW + timedelta(seconds=n)) for n in range(101)]
    signals = [next(s for s in signals_of_run(each, each.model) if s.family == "quality") for each in runs]
    await line.heads.apply(signals.pop(), None)
    before = await version(line)
    await asyncio.gather(*(line.heads.apply(signal, None) for signal in signals))
    head = await line.heads.get(KEY)
    assert head is not None
    assert set(head.ring) >= {each.event_id for each in runs}
    assert await version(line) - before <= 100 / MOST_TOGETHER + 1


async def test_thirty_red_runs_at_three_replicas_lose_no_cause_and_tell_each_once() -> None:
    backend, aws, clock = OthersRunMeanwhile(), MemoryAws(), SystemClock()
    lines = [a_line(backend, aws, clock, owner=f"replica-{n}") for n in range(3)]
    now = clock.now()
    events = [finished("RED", f"run-{n}", at=now + timedelta(seconds=n)) for n in range(30)]
    await asyncio.gather(*(lines[n % 3].on(event) for n, event in enumerate(events)))
    await lines[0].outbox.flush(KEY)
    incident = await lines[0].incident()
    assert {cause["job_run_id"] for cause in incident["causes"]} == {f"run-{n}" for n in range(30)}
    assert sorted(message.rev for _, message in lines[0].messages) == list(range(1, 31))


async def test_a_signal_that_cannot_be_applied_fails_alone(line: Line) -> None:
    good, bad = finished("RED", "good"), finished("RED", "bad")
    [of_good] = [s for s in signals_of_run(good, good.model) if s.raised is not None]
    [of_bad] = [s for s in signals_of_run(bad, bad.model) if s.raised is not None]
    answers = await asyncio.gather(
        line.heads.apply(of_good, good.model),
        line.heads.apply(of_bad, JobCompleted.model_construct()),
        return_exceptions=True,
    )
    assert answers[0] == KEY
    assert isinstance(answers[1], AttributeError)
    head = await line.heads.get(KEY)
    assert head is not None
    assert head.ring == (good.event_id,)


async def test_one_at_a_time_has_the_turn_and_takes_the_work_of_all_who_wait() -> None:
    turns, done, at_once = Turns[int](), [], 0

    async def work(number: int) -> None:
        nonlocal at_once
        async with turns.with_all("key", number) as together:
            at_once += 1
            assert at_once == 1
            await asyncio.sleep(0)
            done.append(together)
            at_once -= 1

    await asyncio.gather(*(work(number) for number in range(50)))
    taken = [number for together in done for number in together]
    assert sorted(taken) == list(range(50))
    assert max(map(len, done)) == MOST_TOGETHER


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
async def test_who_fails_in_his_turn_leaves_the_work_of_others_to_be_done(how: str) -> None:
    turns, begun, ever = Turns[str](), asyncio.Event(), asyncio.Event()
    done = []

    async def first() -> None:
        async with turns.with_all("key", "first"):
            begun.set()
            await ever.wait()
            raise ConnectionError

    async def second() -> None:
        async with turns.with_all("key", "second") as together:
            done.extend(together)

    tasks = [asyncio.create_task(first()), asyncio.create_task(second())]
    await begun.wait()
    ever.set() if how == "fails" else tasks[0].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[0], ConnectionError | asyncio.CancelledError)
    assert done == ["second"]


async def test_keys_do_not_wait_for_each_other_and_are_forgotten() -> None:
    turns = Turns[str]()
    async with turns.with_all("a", "work"), turns.alone("b"):
        pass
    assert turns._lines == {}
