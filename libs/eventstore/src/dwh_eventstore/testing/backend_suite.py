"""What the design rests on: the engine's promises, to be kept by every backend and every version."""
# ruff: noqa: S101, D102 - a suite of tests: it asserts, and its names are its claims

import asyncio
from collections.abc import AsyncIterator

from dwh_contracts.canonical import JsonObject

from dwh_eventstore import definitions, indices
from dwh_eventstore.backend import Backend, Create, Fate, Query, Replace, Write

PLAIN = "contract-plain"
LOG = "contract-log"


async def make_indices(backend: Backend) -> None:
    """The two indices of this suite."""
    await backend.create_index(PLAIN, definitions.documents_definition(0))
    await backend.create_index(LOG, definitions.late_definition(0))


class BackendSuite:
    """Inherit and give a fixture `backend` on which `make_indices` was called, fresh for each test."""

    backend: AsyncIterator[Backend]

    async def test_a_create_with_a_taken_id_conflicts(self, backend: Backend) -> None:
        fates = [(await backend.write([Create(PLAIN, "a", {"n": n})]))[0].fate for n in range(2)]
        assert fates == [Fate.WRITTEN, Fate.CONFLICT]

    async def test_of_40_concurrent_creates_one_is_written(self, backend: Backend) -> None:
        answers = await asyncio.gather(*(backend.write([Create(PLAIN, "a", {"n": n})]) for n in range(40)))
        fates = [written.fate for [written] in answers]
        assert sorted(fates, reverse=True) == [Fate.WRITTEN] + [Fate.CONFLICT] * 39

    async def test_an_append_only_index_refuses_every_replace(self, backend: Backend) -> None:
        await backend.write([Create(LOG, "a", {"event_id": "a"})])
        [found] = await backend.read([(LOG, "a")])
        assert found is not None
        [written] = await backend.write(
            [Replace(LOG, "a", {"event_id": "b"}, found.seq_no, found.primary_term)]
        )
        [after] = await backend.read([(LOG, "a")])
        assert (written.fate, after) == (Fate.REFUSED, found)

    async def test_a_refused_write_does_not_stop_its_neighbours(self, backend: Backend) -> None:
        writes: list[Write] = [
            Create(LOG, "a", {"event_id": "a"}),
            Replace(LOG, "a", {"event_id": "b"}, 0, 1),
            Create("contract-missing", "c", {}),
            Create(LOG, "d", {"event_id": "d"}),
            Create(LOG, "a", {"event_id": "a"}),
        ]
        fates = [written.fate for written in await backend.write(writes)]
        assert fates == [Fate.WRITTEN, Fate.REFUSED, Fate.MISSING_INDEX, Fate.WRITTEN, Fate.CONFLICT]

    async def test_a_write_never_creates_an_index(self, backend: Backend) -> None:
        [written] = await backend.write([Create("events-job-v1-1999-01", "a", {})])
        assert written.fate is Fate.MISSING_INDEX
        assert await backend.describe("events-job-v1-1999-01") is None

    async def test_a_write_is_read_at_once_and_found_after_a_refresh(self, backend: Backend) -> None:
        await backend.write([Create(PLAIN, "a", {"kind": "x"}), Create(PLAIN, "b", {"kind": "y"})])
        [read, missing, elsewhere] = await backend.read(
            [(PLAIN, "a"), (PLAIN, "z"), ("contract-missing", "a")]
        )
        await backend.refresh([PLAIN])
        found = await backend.search(Query((PLAIN,), where={"kind": ["y", "z"]}))
        assert read is not None
        assert (read.body, missing, elsewhere) == ({"kind": "x"}, None, None)
        assert [hit.id for hit in found] == ["b"]

    async def test_an_index_that_refreshes_by_itself_shows_what_is_written_unasked(
        self, backend: Backend
    ) -> None:
        for interval in ("-1", "1s"):
            await backend.change_settings(PLAIN, {"index.refresh_interval": interval})
        await backend.write([Create(PLAIN, "a", {"kind": "x"})])
        async with asyncio.timeout(30):
            while not await backend.search(Query((PLAIN,))):  # noqa: ASYNC110 - the engine tells nobody
                await asyncio.sleep(0.05)

    async def test_a_stale_version_conflicts(self, backend: Backend) -> None:
        await backend.write([Create(PLAIN, "a", {"n": 0})])
        [first] = await backend.read([(PLAIN, "a")])
        assert first is not None
        replace = Replace(PLAIN, "a", {"n": 1}, first.seq_no, first.primary_term)
        fates = [(await backend.write([replace]))[0].fate for _ in range(2)]
        assert fates == [Fate.WRITTEN, Fate.CONFLICT]

    async def test_50_writers_on_one_document_all_succeed_by_compare_and_set(self, backend: Backend) -> None:
        await backend.write([Create(PLAIN, "a", {"attempt": 0})])

        async def count() -> None:
            while True:
                [found] = await backend.read([(PLAIN, "a")])
                assert found is not None
                body: JsonObject = {"attempt": int(str(found.body["attempt"])) + 1}
                [written] = await backend.write([Replace(PLAIN, "a", body, found.seq_no, found.primary_term)])
                if written.fate is Fate.WRITTEN:
                    return

        await asyncio.gather(*(count() for _ in range(50)))
        [found] = await backend.read([(PLAIN, "a")])
        assert found is not None
        assert found.body == {"attempt": 50}

    async def test_a_closed_index_blocks_writes_and_is_still_read(self, backend: Backend) -> None:
        await backend.write([Create(LOG, "a", {"event_id": "a"})])
        await backend.close_for_writing(LOG)
        [written] = await backend.write([Create(LOG, "b", {"event_id": "b"})])
        [found] = await backend.read([(LOG, "a")])
        assert written.fate is Fate.BLOCKED
        assert found is not None

    async def test_a_strict_mapping_refuses_an_unknown_field_of_that_item_only(
        self, backend: Backend
    ) -> None:
        index = "contract-strict"
        definition = definitions.read_model_definition("job-triggers", 0)
        await backend.create_index(index, {**definition, "aliases": {"contract-alias": {}}})
        written = await backend.write([Create(index, "a", {"surprise": 1}), Create(index, "b", {"id": "b"})])
        assert [each.fate for each in written] == [Fate.REFUSED, Fate.WRITTEN]
        assert await backend.resolve("contract-alias") == index
        assert await backend.resolve("contract-nowhere") is None

    async def test_aliases_move_together_each_with_what_it_shows_and_none_joins_an_index_that_was_left(
        self, backend: Backend
    ) -> None:
        old, new, whole, part = (f"contract-{name}" for name in ("old", "new", "whole", "part"))
        definition = definitions.documents_definition(0)
        await backend.create_index(old, {**definition, "aliases": {whole: {}}})
        await backend.create_index(new, definition)
        await backend.settle()
        assert await backend.add_alias(old, part, {"kind": "x"}, beside=whole)
        moved = indices.aliases_of(await backend.describe(old))
        for _ in range(2):  # again is harmless
            await backend.move_aliases(moved, old, new)
        assert indices.aliases_of(await backend.describe(old)) == {}
        assert indices.aliases_of(await backend.describe(new)) == moved
        assert not await backend.add_alias(old, "contract-late", {"kind": "y"}, beside=whole)
        assert await backend.resolve("contract-late") is None
        await backend.write([Create(new, kind, {"kind": kind}) for kind in ("x", "y")])
        await backend.refresh([new])
        assert [found.id for found in await backend.search(Query(indices=[part], where={}))] == ["x"]

    async def test_an_index_is_created_once(self, backend: Backend) -> None:
        assert await backend.create_index(PLAIN, definitions.documents_definition(0)) is False

    async def test_a_search_pages_and_sorts_with_missing_values_last(self, backend: Backend) -> None:
        names = ["c", None, "a", "b"]
        await backend.write(
            [Create(PLAIN, f"d{place}", {"kind": "n", "name": name}) for place, name in enumerate(names)]
        )
        await backend.refresh([PLAIN])
        query = Query((PLAIN,), where={"kind": "n"}, sort=(("name", "desc"),), limit=2)
        first = await backend.search(query)
        second = await backend.search(
            Query(query.indices, query.where, sort=query.sort, limit=2, after=first[-1].sort)
        )
        assert [hit.body["name"] for hit in [*first, *second]] == ["c", "b", "a", None]

    async def test_a_range_takes_its_start_and_leaves_its_end(self, backend: Backend) -> None:
        times = [f"2026-11-23T08:0{minute}:00.000000Z" for minute in range(4)]
        await backend.write([Create(PLAIN, time, {"created_at": time}) for time in times])
        await backend.refresh([PLAIN])
        found = await backend.search(
            Query((PLAIN,), ranges={"created_at": (times[1], times[3])}, sort=(("created_at", "asc"),))
        )
        assert [hit.id for hit in found] == times[1:3]

    async def test_1200_writes_in_one_call_have_one_fate_each(self, backend: Backend) -> None:
        writes = [Create(PLAIN, f"d{number % 1000}", {"attempt": number}) for number in range(1200)]
        fates = [written.fate for written in await backend.write(writes)]
        assert fates == [Fate.WRITTEN] * 1000 + [Fate.CONFLICT] * 200

    async def test_an_id_has_at_most_512_bytes(self, backend: Backend) -> None:
        writes = [Create(PLAIN, "x" * 512, {}), Create(PLAIN, "b", {}), Create(PLAIN, "x" * 513, {})]
        fates = [(await backend.write([write]))[0].fate for write in writes]
        assert fates == [Fate.WRITTEN, Fate.WRITTEN, Fate.REFUSED]
