"""What files of the log, and views of its past, promise, over every backend."""
# ruff: noqa: S101, D102, PLR2004 - a suite of tests: it asserts, and its names are its claims

import gzip
import json
from dataclasses import dataclass
from typing import Any

import pytest
from dwh_contracts.clock import ManualClock

from dwh_eventstore import archive, indices, views
from dwh_eventstore.bootstrap import bootstrap_backend
from dwh_eventstore.replay import verify
from dwh_eventstore.store import Store
from dwh_eventstore.testing.events import RunFacts
from dwh_eventstore.testing.replay_suite import MODELS, Interrupted, documents, story


class Folder:
    """Files in a dict; `failing` is raised by the next writing."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.put_until = 1000

    async def get(self, uri: str) -> "File":
        return File(self.files[uri])

    async def put(self, uri: str, body: bytes) -> str:
        if len(self.files) == self.put_until:
            raise Interrupted
        self.files[uri] = body
        return uri

    async def names(self, folder: str) -> list[str]:
        return sorted(name for name in self.files if name.startswith(f"{folder}/"))


@dataclass(frozen=True)
class File:
    """One of them."""

    body: bytes


class ArchiveSuite:
    """As `ReadingSuite`, with `make_anew` that empties the store."""

    async def make_anew(self, store: Store) -> None:
        for index in [*await store.backend.names("events-*"), *await store.backend.names("rm-*")]:
            await store.backend.drop_index(index)
        await bootstrap_backend(store.backend, replicas=0, now=store.clock.now())
        await store.backend.settle()

    async def test_an_export_read_into_an_empty_store_gives_the_same_log_and_read_models(
        self, store: Store
    ) -> None:
        await store.record([*story(1), *story(2), RunFacts().incident()])
        before = {model: await documents(store, model) for model in MODELS}
        folder = Folder()
        exported = await archive.export(store.backend, folder, "file:///x")
        await self.make_anew(store)
        imported = await self.imported(store, folder)
        assert exported.events == imported.outcomes["stored"] == len(story()) * 2 + 1
        assert {model: await documents(store, model) for model in MODELS} == before
        assert all(not each.differences for each in await verify(store.backend, None, clock=store.clock))

    async def test_an_archive_brings_back_a_partition_that_was_lost_and_nothing_twice(
        self, store: Store
    ) -> None:
        events = story()
        await store.record(events)
        folder = Folder()
        await archive.export(store.backend, folder, "file:///x")
        before = {model: await documents(store, model) for model in MODELS}
        lost = [event for event in events if event.family == "job"]
        await store.backend.drop_index(indices.month_index("job", events[0].timestamp))
        await bootstrap_backend(store.backend, replicas=0, now=store.clock.now())
        await store.backend.settle()
        imported = await self.imported(store, folder)
        assert imported.outcomes == {"stored": len(lost), "duplicate": len(events) - len(lost)}
        assert {model: await documents(store, model) for model in MODELS} == before

    async def imported(self, store: Store, folder: Folder) -> archive.Imported:
        return await archive.import_files(
            store.backend, store.record, folder, "file:///x", environment=store.environment
        )

    async def test_reading_an_archive_again_changes_nothing(self, store: Store) -> None:
        await store.record(story())
        folder = Folder()
        await archive.export(store.backend, folder, "file:///x")
        before = await documents(store, "job-events")
        imported = await self.imported(store, folder)
        assert imported.outcomes == {"duplicate": len(story())}
        assert await documents(store, "job-events") == before

    async def test_a_dry_run_reads_everything_and_writes_nothing(self, store: Store) -> None:
        await store.record(story())
        folder = Folder()
        await archive.export(store.backend, folder, "file:///x")
        folder.files["file:///x/bad.jsonl"] = b"no json\n"
        await self.make_anew(store)
        checked = await archive.check_files(folder, "file:///x", environment=store.environment)
        assert checked.outcomes == {archive.READABLE: len(story())}
        assert [line.split(": ")[0] for line in checked.refused] == ["file:///x/bad.jsonl:1"]
        assert await documents(store, "job-events") == {}

    async def test_a_file_that_was_cut_is_named_and_the_others_are_read(self, store: Store) -> None:
        await store.record(story())
        folder = Folder()
        await archive.export(store.backend, folder, "file:///x")
        name = min(folder.files)
        whole, folder.files[name] = folder.files[name], folder.files[name][:-10]
        await self.make_anew(store)
        imported = await self.imported(store, folder)
        assert [line.split(": ")[:2] for line in imported.refused] == [[name, "not a whole gzip file"]]
        folder.files[name] = whole
        again = await self.imported(store, folder)
        assert imported.outcomes["stored"] + again.outcomes["stored"] == len(story())

    async def test_an_import_that_was_interrupted_goes_on_or_starts_over(self, store: Store) -> None:
        await store.record(story())
        folder = Folder()
        await archive.export(store.backend, folder, "file:///x")

        def at_the_last_file(_step: str, done: int, total: int) -> None:
            if done == total - 1:
                raise Interrupted

        async def interrupted() -> None:
            with pytest.raises(Interrupted):
                await archive.import_files(
                    store.backend,
                    store.record,
                    folder,
                    "file:///x",
                    environment=store.environment,
                    progress=at_the_last_file,
                )

        await interrupted()
        resumed = await self.imported(store, folder)
        await interrupted()
        anew = await archive.import_files(
            store.backend, store.record, folder, "file:///x", environment=store.environment, from_start=True
        )
        assert (resumed.skipped_files, anew.skipped_files) == (len(folder.files) - 1, 0)
        assert anew.outcomes == {"duplicate": len(story())}

    async def test_an_interrupted_export_goes_on_after_its_last_file(self, store: Store) -> None:
        await store.record(story())
        folder = Folder()
        folder.put_until = 1
        with pytest.raises(Interrupted):
            await archive.export(store.backend, folder, "file:///x")
        folder.put_until = 1000
        second = await archive.export(store.backend, folder, "file:///x")
        third = await archive.export(store.backend, folder, "file:///x")
        assert second.before > 0
        assert second.before + second.events == len(story())
        assert (third.events, third.before) == (0, len(story()))

    async def test_an_interrupted_import_goes_on_after_its_last_file(self, store: Store) -> None:
        await store.record(story())
        folder, known = Folder(), store.record
        await archive.export(store.backend, folder, "file:///x")
        calls = 0

        async def dying(events: Any, origin: Any = None) -> Any:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise Interrupted
            return await known(events, origin)

        with pytest.raises(Interrupted):
            await archive.import_files(store.backend, dying, folder, "file:///x", environment="local")
        imported = await self.imported(store, folder)
        assert imported.skipped_files == 1
        assert (await self.imported(store, folder)).skipped_files == 0

    async def test_lines_of_the_journal_and_bare_events_are_read_and_others_named(self, store: Store) -> None:
        first, second = (
            RunFacts(job_run_id="a").completed("GREEN"),
            RunFacts(job_run_id="b").completed("GREEN"),
        )
        elsewhere = RunFacts(environment="dev").completed("GREEN")
        enveloped = {"Type": "Notification", "MessageId": "m-1", "TopicArn": "arn", "Timestamp": "x"}
        lines = [
            json.dumps({**enveloped, "Message": json.dumps(first.body)}),
            json.dumps(second.body),
            "{not json",
            json.dumps(elsewhere.body),
        ]
        folder = Folder()
        folder.files["file:///x/2026/11/23/08/part-1.jsonl.gz"] = gzip.compress("\n".join(lines).encode())
        imported = await self.imported(store, folder)
        assert imported.outcomes == {"stored": 2}
        reasons = [line.partition("part-1.jsonl.gz:")[2].partition(": ") for line in imported.refused]
        assert [(number, told.split(":")[0]) for number, _, told in reasons] == [
            ("3", "not-json"),
            ("4", "wrong-environment"),
        ]
        month = indices.month_index("job", first.timestamp)
        [found] = await store.backend.read([(month, first.event_id)])
        assert found is not None
        assert (found.body["sns_message_id"], found.body["topic"]) == ("m-1", "arn")


class TimeSuite:
    """As `ReadingSuite`."""

    async def test_a_run_is_shown_as_it_was_known_at_a_time(self, store: Store) -> None:
        clock = store.clock
        assert isinstance(clock, ManualClock)
        run = RunFacts()
        decision = run.decision()
        moments = []
        for events in ([run.completed()], [run.requested()], [decision, run.accepted(decision)]):
            moments.append(clock.now())
            clock.advance(60)
            await store.record(events)
            clock.advance(60)
        moments.append(clock.now())
        await store.refresh()
        shown = [
            await views.show_run_as_of(store, run.job_name, run.job_run_id, moment) for moment in moments
        ]
        assert shown[0] is None
        assert [each and each["approval_status"] for each in shown[1:]] == [None, "PENDING", "APPROVED"]
        assert shown[3] == await views.show_run(store, run.job_name, run.job_run_id)

    async def test_a_later_attempt_is_shown_from_the_time_it_was_recorded(self, store: Store) -> None:
        clock = store.clock
        assert isinstance(clock, ManualClock)
        first, second = RunFacts(), RunFacts(attempt=2)
        await store.record([first.completed("RED")])
        clock.advance(60)
        between = clock.now()
        clock.advance(60)
        await store.record([second.completed("GREEN", 1)])
        await store.refresh()
        before = await views.show_run_as_of(store, first.job_name, first.job_run_id, between)
        clock.advance(60)
        after = await views.show_run_as_of(store, first.job_name, first.job_run_id, clock.now())
        assert before is not None
        assert after is not None
        assert (before["attempt"], before["latest_attempt"], after["attempt"]) == (1, True, 2)
