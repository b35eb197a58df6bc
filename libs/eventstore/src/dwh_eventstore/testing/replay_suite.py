"""What reading the log from a position on promises, over every backend."""
# ruff: noqa: S101, D102, PLR2004 - a suite of tests: it asserts, and its names are its claims

import asyncio
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import ManualClock
from dwh_contracts.parse import Event

from dwh_eventstore import indices
from dwh_eventstore.backend import Create, Replace, Shard
from dwh_eventstore.bootstrap import bootstrap_backend
from dwh_eventstore.definitions import events_template, read_model_definition
from dwh_eventstore.errors import StoreError, StoreUnavailable
from dwh_eventstore.fold_versions import outdated
from dwh_eventstore.read_models import ReadModels
from dwh_eventstore.replay import CatchUp, Held, Lock, Position, Rebuild, Sweep, verify
from dwh_eventstore.store import Store
from dwh_eventstore.testing.events import RunFacts

MODELS = (*indices.FIXED_READ_MODELS, "job-events-transform-images")
PACE_SECONDS = 0.002
"""Of who writes and reads beside a rebuild: over memory nothing else would get a turn."""


class HastyClock(ManualClock):
    """Whoever waits has waited at once."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)


class Interrupted(Exception):  # noqa: N818 - named for what happened
    """The process ended here, as far as the test goes."""


def story(number: int = 1) -> list[Event]:
    """What may follow from one run, in all families and from two attempts of it."""
    run, again = RunFacts(job_run_id=f"run-{number}"), RunFacts(job_run_id=f"run-{number}", attempt=2)
    decision = run.decision()
    asked = [run.started(), run.completed(), run.requested(), decision, run.accepted(decision)]
    return [*asked, run.trigger("requested"), run.dag_run("dag_run_created"), again.completed("GREEN", 30)]


async def read(reader: CatchUp, since: Any, until: Any) -> list[str]:
    """Ids of the events between."""
    return [event.event_id async for batch in reader.read(since, until) for event in batch.events()]


async def documents(store: Store, model: str) -> dict[str, JsonObject]:
    """Everything in a read model, with what its fold keeps."""
    index = await store.backend.resolve(model)
    assert index is not None
    [shard] = await store.backend.shards([index])
    await store.backend.refresh([index])
    return {found.id: found.body async for page in store.backend.scan(shard, -1) for found in page}


def rebuild(store: Store, name: str, owner: str = "a", progress: Any = lambda *_: None) -> Rebuild:
    """A rebuild by this owner."""
    return Rebuild(store.backend, name, owner=owner, clock=store.clock, progress=progress)


class ReadingSuite:
    """Inherit and give a fixture `store`: bootstrapped, empty, its own, over a `HastyClock` at START."""

    async def test_every_event_is_read_once_and_only_new_ones_from_a_position(self, store: Store) -> None:
        reader = CatchUp(store.backend)
        first, second = story(1), story(2)
        await store.record([*first, RunFacts(job_run_id="old").completed("GREEN", -150 * 24 * 60)])
        mark = await reader.watermark()
        await store.record(second)
        before = await read(reader, {}, mark)
        after = await read(reader, mark.positions, await reader.watermark())
        assert len(before) == len(set(before)) == len(first) + 1
        assert {event.event_id for event in first} < set(before)
        assert sorted(after) == sorted(event.event_id for event in second)

    async def test_a_position_in_the_middle_of_a_partition_is_read_on_from(self, store: Store) -> None:
        reader = CatchUp(store.backend, [indices.month_pattern("job")])
        runs = [RunFacts(job_run_id=f"run-{number}").completed("GREEN") for number in range(7)]
        await store.events.append(runs)
        mark = await reader.watermark()
        [batch] = [each async for each in reader.read({}, mark)]
        half = {batch.key: Position(batch.position.uuid, 3)}
        assert await read(reader, half, mark) == [event.event_id for event in runs[4:]]
        assert mark.count(half) == len(runs[4:])

    async def test_a_partition_that_was_made_anew_is_read_from_its_start(self, store: Store) -> None:
        reader = CatchUp(store.backend, [indices.month_pattern("job")])
        event = RunFacts().completed("GREEN")
        await store.events.append([RunFacts(job_run_id=f"run-{n}").completed("GREEN") for n in range(5)])
        positions = (await reader.watermark()).positions
        index = indices.month_index("job", event.timestamp)
        await store.backend.drop_index(index)
        template: Any = events_template("job", 0)["template"]
        await store.backend.create_index(index, template)
        await store.backend.settle()
        await store.events.append([event])
        assert await read(reader, positions, await reader.watermark()) == [event.event_id]

    async def test_a_partition_that_is_gone_is_an_error_not_an_empty_page(self, store: Store) -> None:
        reader = CatchUp(store.backend)
        event = RunFacts().completed("GREEN")
        await store.events.append([event])
        positions = (await reader.watermark()).positions
        index = indices.month_index("job", event.timestamp)
        await store.backend.drop_index(index)
        with pytest.raises(StoreUnavailable, match=index):
            await read(reader, positions, await reader.watermark())
        await store.backend.drop_index(indices.LATE)
        with pytest.raises(StoreUnavailable, match=indices.LATE):
            await reader.watermark()

    async def test_events_stored_while_others_are_read_are_neither_missed_nor_read_twice(
        self, store: Store
    ) -> None:
        reader = CatchUp(store.backend, [indices.month_pattern("job")])
        found: list[str] = []
        writing = True

        async def write(writer: int) -> None:
            for number in range(10):
                run = [RunFacts(job_run_id=f"run-{writer}-{number}-{n}") for n in range(20)]
                await store.events.append([each.completed("GREEN") for each in run])
                await asyncio.sleep(0)

        async def poll() -> None:
            positions: Any = {}
            while True:
                last = not writing
                mark = await reader.watermark()
                found.extend(await read(reader, positions, mark))
                positions = mark.positions
                if last:
                    return
                await asyncio.sleep(0)

        polling = asyncio.create_task(poll())
        await asyncio.gather(*(write(writer) for writer in range(4)))
        writing = False
        await polling
        assert len(found) == len(set(found)) == 800


async def bootstrapped(store: Store, *, check: bool = False) -> list[str]:
    """What a bootstrap of the store finds."""
    return await bootstrap_backend(store.backend, replicas=0, now=store.clock.now(), check=check)


async def made_anew(store: Store, definition: JsonObject) -> None:
    """Make the first index of `job-events` anew, empty and as defined."""
    name = indices.physical("job-events")
    await store.backend.drop_index(name)
    await store.backend.create_index(name, definition)
    await store.backend.settle()


class ReplaySuite:
    """As `ReadingSuite`."""

    async def test_a_rebuilt_read_model_holds_the_same_documents_behind_the_same_alias(
        self, store: Store
    ) -> None:
        await store.record([*story(1), *story(2), RunFacts().incident(), RunFacts().notification("sent")])
        for model in MODELS:
            before = await documents(store, model)
            verified = await rebuild(store, model).run()
            assert (verified.documents, verified.differences) == (len(before), ())
            assert await documents(store, model) == before
            assert await store.backend.resolve(model) == indices.physical(model, 2)

    async def test_an_index_refreshes_by_itself_from_the_moment_it_is_read(self, store: Store) -> None:
        await store.record(story())
        rebuilding = rebuild(store, "job-events")
        for turn in (rebuilding.run, rebuilding.rollback):
            await turn()
            current = str(await store.backend.resolve("job-events"))
            described: Any = await store.backend.describe(current)
            assert described["settings"]["index.refresh_interval"] == "1s"

    async def test_the_daily_bootstrap_finds_nothing_in_rebuilt_read_models(self, store: Store) -> None:
        await store.record(story())
        assert await bootstrapped(store, check=True) == []
        await rebuild(store, "job-events").run()
        assert await bootstrapped(store, check=True) == []

    async def test_the_daily_bootstrap_gives_a_read_model_its_alias_fields_and_durability_again(
        self, store: Store
    ) -> None:
        name = indices.physical("job-events")
        definition: Any = deepcopy(read_model_definition("job-events", 0))
        del definition["aliases"], definition["mappings"]["properties"]["error"]
        definition["settings"]["index.translog.durability"] = "async"
        await made_anew(store, definition)
        assert await bootstrapped(store) == ["the alias job-events is missing"]
        assert await bootstrapped(store) == [
            f"index {name}: index.translog.durability is async, not request",
            f"index {name}: the mapping lacks fields",
        ]
        assert await bootstrapped(store, check=True) == []

    async def test_the_daily_bootstrap_names_a_read_model_of_other_folds_and_what_to_do(
        self, store: Store
    ) -> None:
        definition: Any = deepcopy(read_model_definition("job-events", 0))
        definition["mappings"]["_meta"] = {"fold_version": 1}
        await made_anew(store, definition)
        [problem] = await bootstrapped(store)
        assert "folds of version 1, not 2; `dwh store rebuild job-events`" in problem
        assert await bootstrapped(store) == [problem]
        job = "job-events-older"
        definition["aliases"] = {job: {}}
        await store.backend.create_index(indices.physical(job), definition)
        assert await bootstrapped(store) == [problem, problem.replace("job-events", job)]
        assert [each.model for each in await outdated(store.backend)] == ["job-events", job]

    async def test_a_run_of_which_a_field_fits_nowhere_is_rebuilt_without_difference(
        self, store: Store
    ) -> None:
        odd = RunFacts(job_run_id="run-odd").started(
            metrics={"duration_seconds": "n/a"},
            quality={"status": {}, "checks": [{"name": "rows", "status": {}}]},
        )
        await store.record([*story(), odd])
        for model in MODELS:
            before = await documents(store, model)
            assert (await rebuild(store, model).run()).differences == ()
            assert await documents(store, model) == before

    async def test_a_rebuild_mends_what_was_lost_or_falsified(self, store: Store) -> None:
        await store.record(story())
        before = await documents(store, "job-events")
        await made_anew(store, read_model_definition("job-events", 0))
        assert await documents(store, "job-events") == {}
        assert (await rebuild(store, "job-events").run()).differences == ()
        assert await documents(store, "job-events") == before

    async def test_readers_and_writers_go_on_while_it_is_rebuilt_killed_and_taken_up(
        self, store: Store
    ) -> None:
        await store.record([event for number in range(20) for event in story(number)])
        known = RunFacts(job_run_id="run-0").run_id
        behind: set[str] = set()
        working = True

        async def write() -> None:
            number = 1000
            while working:
                await store.record(story(number))
                number += 1
                await asyncio.sleep(PACE_SECONDS)

        async def look() -> None:
            while working:
                behind.add(str(await store.backend.resolve("job-events")))
                assert await store.read_models.get("job-events", known) is not None
                page = await store.read_models.search("job-events", {"job_run_id": "run-0"})
                assert len(page.items) == 2
                await asyncio.sleep(PACE_SECONDS)

        await store.refresh()
        tasks = [asyncio.create_task(write()), asyncio.create_task(look())]
        with pytest.raises(Interrupted):
            await rebuild(store, "job-events", progress=_interrupting("replay")).run()
        assert await store.backend.resolve("job-events") == indices.physical("job-events", 1)
        with pytest.raises(Interrupted):
            await rebuild(store, "job-events", progress=_interrupting("closing pass")).run()
        assert await store.backend.resolve("job-events") == indices.physical("job-events", 2)
        verified = await rebuild(store, "job-events").run()
        working = False
        await asyncio.gather(*tasks)
        assert verified.differences == ()
        assert behind == {indices.physical("job-events", version) for version in (1, 2)}
        [after] = await verify(store.backend, ["job-events"], clock=store.clock)
        assert after.differences == ()

    async def test_a_rebuild_that_was_interrupted_is_not_begun_anew(self, store: Store) -> None:
        await store.record([*story(1), *story(2)])
        with pytest.raises(Interrupted):
            await rebuild(store, "job-events", progress=_interrupting("replay")).run()
        plan = await rebuild(store, "job-events").plan()
        assert (plan.resumed, plan.events, plan.target) == (True, 0, indices.physical("job-events", 2))
        await rebuild(store, "job-events").run()
        plan = await rebuild(store, "job-events").plan()
        assert (plan.resumed, plan.target) == (False, indices.physical("job-events", 3))
        assert plan.events > 0

    async def test_a_plan_changes_nothing(self, store: Store) -> None:
        await store.record(story())
        names = await store.backend.names("rm-*")
        plan = await rebuild(store, "job-triggers").plan()
        assert (plan.current, plan.target) == ("rm-job-triggers-v0001", "rm-job-triggers-v0002")
        assert await store.backend.names("rm-*") == names

    async def test_a_writer_that_was_between_store_and_fold_at_the_swap_loses_nothing(
        self, store: Store
    ) -> None:
        await store.record(story())
        late = RunFacts(job_run_id="straggler").completed("GREEN")
        old = indices.physical("job-events")
        move = store.backend.move_aliases

        async def moved(aliases: Mapping[str, JsonObject], source: str | None, target: str) -> None:
            await store.events.append([late])
            await move(aliases, source, target)
            writer = ReadModels(
                store.backend, clock=store.clock, replicas=0, jitter=lambda: 0.5, pinned={"job-events": old}
            )
            await writer.fold([late])

        store.backend.move_aliases = moved  # type: ignore[method-assign]
        verified = await rebuild(store, "job-events").run()
        assert verified.differences == ()
        assert await store.read_models.get("job-events", late.event_id) is not None

    async def test_a_writer_that_is_killed_between_store_and_fold_leaves_no_difference(
        self, store: Store
    ) -> None:
        await store.record(story())
        late = RunFacts(job_run_id="killed").completed("GREEN")
        closed, shards = False, store.backend.shards

        def progress(step: str, done: int, total: int) -> None:
            nonlocal closed
            closed = closed or (step, done) == ("closing pass", total)

        async def stored_then_killed(patterns: Sequence[str]) -> list[Shard]:
            if closed:
                await store.events.append([late])
            return await shards(patterns)

        store.backend.shards = stored_then_killed  # type: ignore[method-assign]
        verified = await rebuild(store, "job-events", progress=progress).run()
        assert verified.differences == ()
        assert await store.read_models.get("job-events", late.event_id) is not None

    async def test_a_second_rebuild_is_refused_with_the_name_of_the_first(self, store: Store) -> None:
        await store.record(story())
        lock = Lock(store.backend, store.clock, "job-events", "ann@host-7")
        async with lock.held():
            with pytest.raises(Held, match="ann@host-7"):
                await rebuild(store, "job-events", "b").run()
            assert "ann@host-7" in str((await rebuild(store, "job-events", "b").plan()).holder)
            assert (await rebuild(store, "job-alerts", "b").run()).differences == ()
        assert (await rebuild(store, "job-events", "b").run()).differences == ()

    async def test_going_back_brings_the_old_index_up_to_date_first(self, store: Store) -> None:
        await store.record(story(1))
        with pytest.raises(StoreError, match="no earlier index"):
            await rebuild(store, "job-events").rollback()
        await rebuild(store, "job-events").run()
        await store.record(story(2))
        verified = await rebuild(store, "job-events").rollback()
        assert await store.backend.resolve("job-events") == indices.physical("job-events", 1)
        assert (verified.documents, verified.differences) == (4, ())

    async def test_old_indices_stay_until_they_are_dropped(self, store: Store) -> None:
        await store.record(story())
        await rebuild(store, "job-events").run()
        assert await rebuild(store, "job-events").drop_old() == [indices.physical("job-events", 1)]
        assert await store.backend.names("rm-job-events-v*") == [indices.physical("job-events", 2)]
        with pytest.raises(StoreError, match="no earlier index"):
            await rebuild(store, "job-events").rollback()
        assert (await rebuild(store, "job-events").run()).differences == ()

    async def test_a_read_model_that_does_not_exist_is_named(self, store: Store) -> None:
        with pytest.raises(StoreError, match="job-nothing"):
            await rebuild(store, "job-nothing").run()

    async def test_verify_names_what_is_missing_added_or_changed(self, store: Store) -> None:
        lost, changed = RunFacts(job_run_id="lost"), RunFacts(job_run_id="changed")
        await store.record([*story(), changed.completed("GREEN")])
        await store.events.append([lost.completed("GREEN")])
        [found] = await store.backend.read([("job-events", changed.run_id)])
        assert found is not None
        body = found.body | {"status": "FAILED"}
        await store.backend.write(
            [
                Replace("rm-job-events-v0001", found.id, body, found.seq_no, found.primary_term),
                Create("rm-job-events-v0001", "invented", body | {"id": "invented"}),
            ]
        )
        verified = {each.name: each for each in await verify(store.backend, None, clock=store.clock)}
        told = {(each.id, each.kind, each.fields) for each in verified["job-events"].differences}
        assert told == {
            (lost.run_id, "missing", ()),
            ("invented", "extra", ()),
            (changed.run_id, "differs", ("status",)),
        }
        own = verified["job-events-transform-images"].differences
        assert [(each.id, each.kind) for each in own] == [(lost.run_id, "missing")]
        assert verified["job-approvals"].differences == verified["job-triggers"].differences == ()

    async def test_the_checksum_depends_on_documents_and_not_on_their_order(self, store: Store) -> None:
        async def checksum() -> str:
            [verified] = await verify(store.backend, ["job-events"], clock=store.clock)
            return verified.checksum

        await store.record([*story(1), *story(2)])
        before = await checksum()
        await rebuild(store, "job-events").run()
        assert await checksum() == before
        await store.record(story(3))
        assert await checksum() != before

    async def test_line_items_are_made_anew_from_the_runs_they_belong_to(self, store: Store) -> None:
        await store.record([*story(1), *story(2)])
        await rebuild(store, "job-line-items").run()
        assert await store.backend.resolve("job-line-items") == "rm-job-line-items-v0002"
        [verified] = await verify(store.backend, ["job-line-items"], clock=store.clock)
        assert (verified.documents > 0, verified.differences) == (True, ())

    async def test_the_sweep_repairs_once_what_nobody_folded_ten_minutes_ago(self, store: Store) -> None:
        lost = RunFacts(job_run_id="lost")
        clock = store.clock
        assert isinstance(clock, ManualClock)
        await store.record(story())
        await store.events.append([lost.completed("GREEN")])
        sweep = Sweep(store.backend, store.read_models, clock)
        turns = []
        for _ in range(4):
            turns.append(await sweep.turn())
            clock.advance(timedelta(minutes=6).total_seconds())
        assert [turn.repaired for turn in turns] == [0, 0, 4, 0]
        assert [turn.events for turn in turns] == [0, 0, len(story()) + 1, 0]
        assert await store.read_models.get("job-events", lost.run_id) is not None

    async def test_the_sweep_goes_on_when_a_partition_is_gone_for_good(self, store: Store) -> None:
        clock = store.clock
        assert isinstance(clock, ManualClock)
        await store.record(story())
        sweep = Sweep(store.backend, store.read_models, clock)
        for _ in range(3):
            await sweep.turn()
            clock.advance(timedelta(minutes=6).total_seconds())
        await store.backend.drop_index("events-approval-v1-2026-11")
        await store.record([RunFacts(job_run_id="later").completed("GREEN")])
        turns = []
        for _ in range(5):
            turns.append(await sweep.turn())
            clock.advance(timedelta(minutes=6).total_seconds())
        assert sum(turn.events for turn in turns) == 1


def _interrupting(step: str) -> Callable[[str, int, int], None]:
    """Progress that ends the process at the end of a step."""

    def progress(told: str, done: int, total: int) -> None:
        if told == step and done == total:
            raise Interrupted

    return progress
