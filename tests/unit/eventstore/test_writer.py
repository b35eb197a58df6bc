"""The bulk writer against an engine that turns writes away in each way the real one does."""

import asyncio
from collections.abc import Callable

import orjson
import pytest
from dwh_eventstore.backend import Create, Fate, Written
from dwh_eventstore.bulk import denied_by, written
from dwh_eventstore.writer import IN_FLIGHT, Answer, BulkWriter


class Engine:
    """Stores what it is sent unless its rule for the request says otherwise."""

    def __init__(
        self, rule: Callable[["Engine", list[str]], Answer | None] = lambda _engine, _ids: None
    ) -> None:
        self.rule = rule
        self.stored: list[str] = []
        self.requests: list[int] = []
        self.slept = 0.0
        self.under_way = self.most_under_way = 0

    async def send(self, body: bytes) -> Answer:
        ids = [orjson.loads(line)["create"]["_id"] for line in body.splitlines()[::2]]
        self.requests.append(len(ids))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        for _ in range(3):  # let the others come in
            await asyncio.sleep(0)
        self.under_way -= 1
        answer = self.rule(self, ids)
        return answer or self.store(ids)

    def store(self, ids: list[str], limit: int | None = None) -> Answer:
        taken = ids[:limit]
        fates = []
        for each in ids:
            conflict = each in self.stored
            fate = Fate.BUSY if each not in taken else Fate.CONFLICT if conflict else Fate.WRITTEN
            if fate is Fate.WRITTEN:
                self.stored.append(each)
            fates.append(Written(fate))
        return Answer(200, fates)

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def writer(self) -> BulkWriter:
        return BulkWriter(
            self.send,
            undecided=lambda answer: OSError(answer.reason),
            sleep=self.sleep,
            jitter=lambda: 0.5,
            patience_seconds=3,
        )


def creates(count: int, size: int = 1) -> list[Create]:
    return [Create("i", f"d{n}", {"t": "x" * size}) for n in range(count)]


def fates(written: list[Written]) -> list[Fate]:
    return [each.fate for each in written]


async def test_6000_writes_go_500_at_a_time_and_4_requests_at_once() -> None:
    engine = Engine()
    assert fates(await engine.writer().write(creates(6000))) == [Fate.WRITTEN] * 6000
    assert (engine.requests, engine.most_under_way) == ([500] * 12, IN_FLIGHT)


async def test_no_request_is_larger_than_about_4_megabytes() -> None:
    engine = Engine()
    await engine.writer().write(creates(10, size=1024 * 1024))
    assert max(engine.requests) <= 4


async def test_a_request_that_is_too_large_is_halved_until_it_fits_and_a_single_one_is_refused() -> None:
    def most_seven(_: Engine, ids: list[str]) -> Answer | None:
        return Answer(413, reason="too large") if len(ids) > 7 or "d3" in ids else None

    engine = Engine(most_seven)
    written = fates(await engine.writer().write(creates(100)))
    assert [place for place, fate in enumerate(written) if fate is not Fate.WRITTEN] == [3]
    assert written[3] is Fate.REFUSED


async def test_429_of_single_items_repeats_those_alone() -> None:
    engine = Engine(lambda engine, ids: engine.store(ids, 300) if len(ids) > 300 else None)
    assert fates(await engine.writer().write(creates(500))) == [Fate.WRITTEN] * 500
    assert engine.requests == [500, 200]
    assert len(engine.stored) == 500


async def test_429_of_whole_requests_halves_the_load_and_success_lets_it_grow_again() -> None:
    turned_away = 0

    def at_first(_: Engine, _ids: list[str]) -> Answer | None:
        nonlocal turned_away
        turned_away += 1
        return Answer(429, reason="indexing pressure") if turned_away <= 6 else None

    engine = Engine(at_first)
    writer = engine.writer()
    assert fates(await writer.write(creates(500))) == [Fate.WRITTEN] * 500
    assert engine.requests[0] == 500
    assert min(engine.requests) < 100
    low = writer.window.size
    assert writer.window.narrowed
    for n in range(40):
        await writer.write([Create("j", f"e{n}", {})])
    assert low < 600 < writer.window.size
    assert not writer.window.narrowed


async def test_an_engine_that_stays_busy_gives_busy_after_a_few_seconds_and_nothing_is_lost() -> None:
    """429 for 60 s: the caller leaves its messages in the queue and comes again."""
    engine = Engine(lambda engine, _ids: Answer(429) if engine.slept < 60 else None)
    writer = engine.writer()
    rounds = 0
    while Fate.BUSY in (outcome := fates(await writer.write(creates(50)))):
        assert (set(outcome), engine.stored) == ({Fate.BUSY}, [])
        rounds += 1
    assert set(outcome) == {Fate.WRITTEN}
    assert 10 < rounds < 30  # each gave up after about three seconds


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_an_engine_that_is_away_is_busy(status: int) -> None:
    engine = Engine(lambda _engine, _ids: Answer(status))
    assert fates(await engine.writer().write(creates(1))) == [Fate.BUSY]


async def test_any_other_answer_says_nothing_of_the_items_and_is_an_error() -> None:
    engine = Engine(lambda _engine, _ids: Answer(401, reason="who are you"))
    with pytest.raises(OSError, match="who are you"):
        await engine.writer().write(creates(2))


async def test_two_writes_of_one_document_are_performed_in_order() -> None:
    engine = Engine()
    written = fates(await engine.writer().write([*creates(1000), *creates(1000)]))
    assert written == [Fate.WRITTEN] * 1000 + [Fate.CONFLICT] * 1000


async def test_an_id_that_is_too_long_is_refused_without_its_neighbours() -> None:
    engine = Engine()
    written = await engine.writer().write([Create("i", "é" * 257, {}), Create("i", "b", {})])
    assert (fates(written), engine.stored) == ([Fate.REFUSED, Fate.WRITTEN], ["b"])


async def test_a_request_that_fails_leaves_the_window_free_for_the_next() -> None:
    engine = Engine(lambda _engine, _ids: Answer(401, reason="no rights"))
    writer = engine.writer()
    for _ in range(2 * IN_FLIGHT):
        with pytest.raises(OSError, match="no rights"):
            await writer.write(creates(1))
    engine.rule = lambda _engine, _ids: None
    assert fates(await writer.write(creates(1))) == [Fate.WRITTEN]


async def test_a_mixed_answer_of_201_409_400_and_429_gives_each_item_its_own_fate() -> None:
    def refuses_one(engine: Engine, ids: list[str]) -> Answer | None:
        answer = engine.store(ids, 3) if len(engine.requests) == 1 else None
        if answer is None:
            return None
        fates = [
            Written(Fate.REFUSED) if each == "d1" else item
            for each, item in zip(ids, answer.items, strict=True)
        ]
        return Answer(200, fates)

    engine = Engine(refuses_one)
    engine.stored = ["d2"]
    written = fates(await engine.writer().write(creates(4)))
    assert written == [Fate.WRITTEN, Fate.REFUSED, Fate.CONFLICT, Fate.WRITTEN]
    assert engine.requests == [4, 1]


def an_item(status: int, kind: str, reason: str) -> dict[str, object]:
    return {"create": {"status": status, "error": {"type": kind, "reason": reason}}}


FORBIDDEN = an_item(403, "security_exception", "no permissions for [indices:data/write/bulk[s]]")
CLOSED = an_item(403, "cluster_block_exception", "index [a] blocked by: [FORBIDDEN/8/index write (api)];")
READ_ONLY = an_item(403, "cluster_block_exception", "blocked by: [FORBIDDEN/6/cluster read-only (api)];")


def test_a_right_that_is_missing_is_told_of_who_asks_and_not_of_the_document() -> None:
    assert denied_by([CLOSED, READ_ONLY, {"create": {"status": 201}}]) is None
    assert "no permissions for" in str(denied_by([CLOSED, FORBIDDEN]))


def test_of_blocks_that_of_a_closed_month_is_final_and_another_is_waited_for() -> None:
    assert [written(item).fate for item in (CLOSED, READ_ONLY)] == [Fate.BLOCKED, Fate.BUSY]
