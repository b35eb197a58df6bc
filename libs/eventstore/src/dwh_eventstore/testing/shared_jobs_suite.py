"""What jobs that share one index may rely on, over every backend."""
# ruff: noqa: S101, D102 - a suite of tests: it asserts, and its names are its claims

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from dwh_contracts.facts import system_fact
from dwh_contracts.parse import Event, event_from_body

from dwh_eventstore import indices
from dwh_eventstore.backend import Replace
from dwh_eventstore.definitions import read_model_definition
from dwh_eventstore.errors import StoreError
from dwh_eventstore.replay import Rebuild, read_model_names, verify
from dwh_eventstore.store import Store
from dwh_eventstore.testing.events import RunFacts

SHARED = indices.SHARED_JOBS
FIRST, SECOND = (indices.physical(SHARED, version) for version in (1, 2))


def run_of(job: str) -> RunFacts:
    """The run of a job; each has one."""
    return RunFacts(f"shared_{job}", f"run-{job}")


def model_of(job: str) -> str:
    """Its read model."""
    return indices.job_read_model(f"shared_{job}")


def brake_engaged(now: datetime, long_ago: datetime) -> Event:
    """A fact without a job, of a month that has no index any more."""
    fact = system_fact(
        "brake_engaged",
        environment="local",
        service="alerts",
        subject="a queue",
        version="1",
        timestamp=long_ago,
        now=now,
    )
    return event_from_body(fact)


class SharedJobsSuite:
    """Inherit and give a fixture `store`: bootstrapped, empty, its own, over a `HastyClock` at START."""

    @pytest.fixture
    def full(self, store: Store) -> Store:
        """A store that has as many indices of single jobs as it may."""
        return Store(
            store.backend, environment="local", service="test", clock=store.clock, most_job_indices=0
        )

    async def recorded(self, store: Store, *jobs: str) -> None:
        await store.record([run_of(job).completed("GREEN") for job in jobs])

    async def shown(self, store: Store, job: str) -> list[Any]:
        await store.backend.refresh([model_of(job)])
        page = await store.read_models.search(model_of(job), {})
        return [run["job_run_id"] for run in page.items]

    def rebuild(self, store: Store) -> Rebuild:
        return Rebuild(store.backend, SHARED, owner="a", clock=store.clock)

    async def test_the_shared_index_is_made_anew_with_what_each_job_shows_of_it(self, full: Store) -> None:
        own = Store(full.backend, environment="local", service="test", clock=full.clock)
        await own.record([RunFacts("has_its_own").completed("GREEN")])
        await self.recorded(full, "p", "q")
        [broken] = await full.backend.read([(FIRST, run_of("p").run_id)])
        assert broken is not None
        body = broken.body | {"status": "FAILED"}
        await full.backend.write([Replace(FIRST, broken.id, body, broken.seq_no, broken.primary_term)])
        [found] = await verify(full.backend, [SHARED], clock=full.clock)
        assert [(each.id, each.fields) for each in found.differences] == [(broken.id, ("status",))]
        verified = await self.rebuild(full).run()
        assert (verified.documents, verified.differences) == (2, ())
        assert [await full.backend.resolve(name) for name in (SHARED, model_of("p"), model_of("q"))] == [
            SECOND
        ] * 3
        assert [await self.shown(full, job) for job in ("p", "q")] == [["run-p"], ["run-q"]]
        assert await self.rebuild(full).drop_old() == [FIRST]
        await self.recorded(full, "r")
        assert await full.backend.resolve(model_of("r")) == SECOND
        assert await self.shown(full, "r") == ["run-r"]

    async def test_all_read_models_are_verified_with_the_shared_one_as_a_whole(self, full: Store) -> None:
        await self.recorded(full, "p", "q")
        assert SHARED in await read_model_names(full.backend)
        found = {each.name: each for each in await verify(full.backend, None, clock=full.clock)}
        assert (found[SHARED].documents, found[SHARED].differences) == (2, ())
        assert not {model_of("p"), model_of("q")} & found.keys()
        [alone] = await verify(full.backend, [model_of("p")], clock=full.clock)
        assert (alone.documents, alone.differences) == (1, ())

    async def test_it_is_verified_alone_or_one_of_its_jobs_is(self, full: Store) -> None:
        await self.recorded(full, "p")
        with pytest.raises(StoreError, match=f"holds {model_of('p')}"):
            await verify(full.backend, [SHARED, model_of("p")], clock=full.clock)

    async def test_late_facts_without_a_job_or_a_run_get_no_place(self, full: Store) -> None:
        await self.recorded(full, "p")
        await full.record([brake_engaged(full.clock.now(), long_ago=full.clock.now() - timedelta(days=150))])
        names = await full.backend.names("rm-*")
        assert (await self.rebuild(full).run()).differences == ()
        assert set(await full.backend.names("rm-*")) == {*names, SECOND}

    async def test_an_index_from_before_it_had_an_alias_of_its_own_gets_it(self, full: Store) -> None:
        await full.backend.create_index(FIRST, read_model_definition(SHARED, 0) | {"aliases": {}})
        await full.backend.settle()
        await self.recorded(full, "p")
        assert await full.backend.resolve(SHARED) == await full.backend.resolve(model_of("p")) == FIRST

    async def test_one_job_of_the_shared_index_is_not_made_anew_alone(self, full: Store) -> None:
        await self.recorded(full, "p")
        with pytest.raises(StoreError, match=f"dwh store rebuild {SHARED}"):
            await Rebuild(full.backend, model_of("p"), owner="a", clock=full.clock).run()

    async def test_going_back_takes_the_aliases_along(self, full: Store) -> None:
        await self.recorded(full, "p")
        await self.rebuild(full).run()
        await self.recorded(full, "q")
        verified = await self.rebuild(full).rollback()
        assert (verified.documents, verified.differences) == (2, ())
        assert await full.backend.resolve(model_of("q")) == FIRST
        assert await self.shown(full, "q") == ["run-q"]

    async def test_a_job_that_is_first_seen_while_the_index_is_rebuilt_loses_nothing(
        self, full: Store
    ) -> None:
        await self.recorded(full, "p")
        move = full.backend.move_aliases

        async def moved(aliases: Mapping[str, Any], source: str | None, target: str) -> None:
            full.backend.move_aliases = move  # type: ignore[method-assign]
            await self.recorded(full, "q")
            await move(aliases, source, target)

        full.backend.move_aliases = moved  # type: ignore[method-assign]
        verified = await self.rebuild(full).run()
        assert (verified.documents, verified.differences) == (2, ())
        assert await full.backend.resolve(model_of("q")) == SECOND

    async def test_a_job_whose_place_is_made_in_an_index_that_was_just_replaced_goes_to_the_new_one(
        self, full: Store
    ) -> None:
        await self.recorded(full, "p")
        add = full.backend.add_alias

        async def added(index: str, alias: str, where: Mapping[str, str], *, beside: str) -> bool:
            full.backend.add_alias = add  # type: ignore[method-assign]
            await full.events.append([run_of("q").started()])
            await self.rebuild(full).run()
            return await add(index, alias, where, beside=beside)

        full.backend.add_alias = added  # type: ignore[method-assign]
        await self.recorded(full, "q")
        assert await full.backend.resolve(model_of("q")) == SECOND
        [found] = await verify(full.backend, [SHARED], clock=full.clock)
        assert found.differences == ()
        assert await self.shown(full, "q") == ["run-q"]
