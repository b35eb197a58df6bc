"""What the facade promises, over every backend."""
# ruff: noqa: S101, D102 - a suite of tests: it asserts, and its names are its claims

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import ManualClock
from dwh_contracts.parse import Event, event_from_body
from dwh_contracts.quarantine import QuarantineReason, QuarantineRecord, Refused, quarantine_record
from dwh_contracts.times import parse_time
from pydantic import JsonValue

from dwh_eventstore import indices
from dwh_eventstore.bootstrap import bootstrap_backend
from dwh_eventstore.claims import ClaimState
from dwh_eventstore.errors import StoreUnavailable
from dwh_eventstore.log import Appended
from dwh_eventstore.quarantine import raw_bytes
from dwh_eventstore.store import Store
from dwh_eventstore.testing.events import START, RunFacts
from dwh_eventstore.testing.race_suite import RaceSuite, job_of


class StoreSuite(RaceSuite):
    """Inherit and give fixtures: `clock` (manual, at START) and a bootstrapped, empty `store` over it."""

    async def test_a_redelivered_event_is_stored_once(self, store: Store) -> None:
        event = job_of(store).completed()
        outcomes = [*await store.events.append([event]), *await store.events.append([event])]
        assert outcomes == [Appended.STORED, Appended.DUPLICATE]

    async def test_an_event_twice_in_one_batch_is_stored_once(self, store: Store) -> None:
        event = job_of(store).completed()
        assert await store.events.append([event, event]) == [Appended.STORED, Appended.DUPLICATE]

    async def test_the_same_id_with_other_content_conflicts_and_the_first_stays(self, store: Store) -> None:
        run = job_of(store)
        first, second = run.completed("GREEN"), run.completed("RED")
        assert await store.record([first]) == [Appended.STORED]
        assert await store.record([second]) == [Appended.CONFLICT]
        stored = await store.events.get(first.event_id, first.timestamp)
        document = await store.read_models.get("job-events", run.run_id)
        assert stored is not None
        assert document is not None
        assert (stored.body, document["status"]) == (first.body, "SUCCESS")

    async def test_of_two_facts_under_one_id_the_first_stays_and_is_what_is_folded(
        self, store: Store
    ) -> None:
        run = job_of(store)
        first = run.trigger("requested")
        second = event_from_body(first.body | {"target": "another_dag"})
        assert await store.record([first]) == [Appended.STORED]
        assert await store.record([second]) == [Appended.DUPLICATE]
        document = await store.read_models.get("job-triggers", run.trigger_id)
        assert document is not None
        assert document["target"] == "filter_dag"

    async def test_an_event_of_a_month_without_index_goes_to_the_late_index(self, store: Store) -> None:
        run = RunFacts(
            f"job_{store.environment}", environment=store.environment, start=START - timedelta(days=150)
        )
        event = run.completed("GREEN")
        assert await store.events.append([event]) == [Appended.STORED]
        assert await store.events.append([event]) == [Appended.DUPLICATE]
        assert await store.events.get(event.event_id, event.timestamp) == event

    async def test_a_missing_current_month_is_tried_again_not_lost(
        self, store: Store, clock: ManualClock
    ) -> None:
        clock.advance(timedelta(days=150).total_seconds())
        run = RunFacts(f"job_{store.environment}", environment=store.environment, start=clock.now())
        event = run.completed("GREEN")
        assert await store.events.append([event]) == [Appended.MISSING_INDEX]
        with pytest.raises(StoreUnavailable):
            await store.record([event])

    async def test_a_closed_month_is_asked_before_the_late_index_is_written(self, store: Store) -> None:
        days_before = -30 * 24 * 60
        before = job_of(store).completed("GREEN", days_before)
        after = job_of(store, "run-2").completed("GREEN", days_before)
        await store.events.append([before])
        await store.backend.close_for_writing(indices.month_index("job", before.timestamp))
        assert await store.events.append([before, after]) == [Appended.DUPLICATE, Appended.STORED]
        assert await store.events.get(after.event_id, after.timestamp) == after

    async def test_events_of_all_families_go_in_one_call_and_are_found_by_run(self, store: Store) -> None:
        run = job_of(store)
        completed = run.completed("GREEN")
        events = [completed, run.requested(), run.trigger("requested"), run.recorded(completed)]
        assert await store.events.append(events) == [Appended.STORED] * 4
        await store.refresh()
        where: JsonObject = {"job_run_id": run.job_run_id, "environment": store.environment}
        found = [await store.events.find(family, where) for family in ("job", "approval", "effect")]
        assert [len(events) for events in found] == [1, 1, 2]
        by_input = await store.events.find("effect", {"input_event_id": completed.event_id})
        assert [event.event_type for event in by_input] == ["decision_recorded"]

    async def test_a_search_by_a_field_that_is_not_mapped_is_refused_not_empty(self, store: Store) -> None:
        with pytest.raises(ValueError, match="colour"):
            await store.events.find("job", {"colour": "red"})
        with pytest.raises(ValueError, match="colour"):
            await store.effects.find({"colour": "red"})
        with pytest.raises(ValueError, match="colour"):
            await store.read_models.search("job-events", {"colour": "red"})

    async def test_a_run_stands_in_both_indices_with_its_payload_only_in_its_own(self, store: Store) -> None:
        run = job_of(store)
        await store.record([run.completed("YELLOW")])
        own = await store.read_models.get(indices.job_read_model(run.job_name), run.run_id)
        common = await store.read_models.get("job-events", run.run_id)
        assert own is not None
        assert common is not None
        metrics: Any = own["metrics"]
        payload = metrics.pop("payload")
        assert payload == {"extract": {"corrupt_records": 600}}
        assert {name: own[name] for name in common} == common

    async def test_an_approval_before_its_run_gives_a_stub_that_the_run_fills(self, store: Store) -> None:
        run = job_of(store)
        decision = run.decision()
        await store.record([run.requested(), decision, run.accepted(decision)])
        stub = await store.read_models.get("job-events", run.run_id)
        await store.record([run.completed()])
        whole = await store.read_models.get("job-events", run.run_id)
        approval = await store.read_models.get("job-approvals", decision.event_id)
        assert stub is not None
        assert whole is not None
        assert approval is not None
        assert (stub["known"], stub["approval_status"]) == (False, "APPROVED")
        assert (whole["known"], whole["approval_status"], whole["status"]) == (
            True,
            "APPROVED",
            "PENDING_APPROVAL",
        )
        assert (approval["original_quality_status"], approval["accepted"]) == ("RED", True)
        assert whole["approvals"] == [approval]

    async def test_two_writers_fold_a_run_and_its_approval_at_once(self, store: Store) -> None:
        runs = [job_of(store, f"run-{number}") for number in range(10)]
        decisions = [run.decision() for run in runs]
        indexer = store.read_models.fold([run.completed() for run in runs])
        approvals = store.read_models.fold(
            [
                event
                for run, decision in zip(runs, decisions, strict=True)
                for event in (run.requested(), decision, run.accepted(decision))
            ]
        )
        await asyncio.gather(indexer, approvals)
        for run, decision in zip(runs, decisions, strict=True):
            document = await store.read_models.get("job-events", run.run_id)
            approval = await store.read_models.get("job-approvals", decision.event_id)
            assert document is not None
            assert approval is not None
            assert (document["status"], document["approval_status"]) == ("PENDING_APPROVAL", "APPROVED")
            assert approval["original_quality_status"] == "RED"

    async def test_a_newer_attempt_supersedes_older_ones_whichever_came_first(self, store: Store) -> None:
        first, second = job_of(store), job_of(store, attempt=2)
        await store.record([second.completed("GREEN", 10)])
        await store.record([first.completed("RED")])
        documents = [await store.read_models.get("job-events", run.run_id) for run in (first, second)]
        assert [document and document["latest_attempt"] for document in documents] == [False, True]

    async def test_a_payload_that_clashes_is_kept_unsearchable_and_stops_nothing(self, store: Store) -> None:
        good, bad = job_of(store), job_of(store, "run-2")
        clashing: JsonObject = {"extract": 5}
        await store.record([good.completed("GREEN")])
        await store.record([bad.completed("GREEN", metrics=bad.metrics(clashing))])
        document = await store.read_models.get(indices.job_read_model(bad.job_name), bad.run_id)
        common = await store.read_models.get("job-events", bad.run_id)
        assert document is not None
        assert common is not None
        assert common["status"] == "SUCCESS"
        assert (document["payload_overflow"], document["payload_raw"]) == (True, clashing)

    async def test_a_field_that_nobody_typed_stops_neither_its_neighbours_nor_itself(
        self, store: Store
    ) -> None:
        good, bad = job_of(store), job_of(store, "run-2")
        odd: dict[str, Any] = {
            "metrics": {"duration_seconds": "n/a", "phases": "none", "resources": 3},
            "error": {"type": {}, "message": ["a", {}]},
            "artifacts_available": "yes",
            "quality": {"status": {}, "checks": [{"name": "rows", "status": {}, "value": True}]},
        }
        events = [good.completed("GREEN"), bad.started(**odd)]
        assert await store.record(events) == [Appended.STORED] * 2
        for model in ("job-events", indices.job_read_model(bad.job_name)):
            documents: Any = [await store.read_models.get(model, run.run_id) for run in (good, bad)]
            assert [document["status"] for document in documents] == ["SUCCESS", "RUNNING"]
            assert documents[1]["metrics"]["duration_seconds"] is None
            assert documents[1]["error"]["type"] is None
        assert await store.read_models.refold(events) == 0

    async def test_an_integer_of_more_than_64_bits_refuses_its_own_event_only(self, store: Store) -> None:
        good, bad = job_of(store), job_of(store, "run-2")
        events = [good.completed("GREEN"), bad.completed("GREEN", metrics=bad.metrics({"huge": 2**70}))]
        assert await store.events.append(events) == [Appended.STORED, Appended.REJECTED]

    async def test_a_payload_of_more_fields_than_an_index_may_have_is_set_aside(self, store: Store) -> None:
        run = job_of(store)
        many: JsonObject = {f"field_{number}": number for number in range(600)}
        await store.record([run.completed("GREEN", metrics=run.metrics(many))])
        document = await store.read_models.get(indices.job_read_model(run.job_name), run.run_id)
        assert document is not None
        assert (document["payload_overflow"], document["payload_raw"]) == (True, many)

    async def test_a_text_that_looks_like_a_time_does_not_refuse_the_next_run(self, store: Store) -> None:
        for number, text in enumerate(("2026-11-23", "none yet")):
            run = job_of(store, f"run-{number}")
            await store.record([run.completed("GREEN", metrics=run.metrics({"newest": text}))])
            document = await store.read_models.get(indices.job_read_model(run.job_name), run.run_id)
            assert document is not None
            assert document["payload_overflow"] is False

    async def test_jobs_whose_names_differ_in_one_sign_have_an_index_each(self, store: Store) -> None:
        own = store.environment.replace("-", "_")
        names = [f"{own}_a_b", f"{own}_a-b", f"{own}_a.b", f"{own}_A_b", "x" * 199 + "1", "x" * 199 + "2"]
        names += [f"{own}_v0003", "common", "shared", f"v0001_{own}"]
        runs = [RunFacts(name, f"run-{own}", environment=store.environment) for name in names]
        await store.record([run.completed("GREEN") for run in runs])
        places = [await store.backend.resolve(indices.job_read_model(name)) for name in names]
        assert len(set(places) - {None}) == len(names)
        for run in runs:
            document = await store.read_models.get(indices.job_read_model(run.job_name), run.run_id)
            assert document is not None
            assert document["job_name"] == run.job_name

    async def test_jobs_beyond_the_last_index_share_one_and_each_alias_shows_its_own_runs(
        self, store: Store
    ) -> None:
        full = Store(
            store.backend,
            environment=store.environment,
            service="test",
            clock=store.clock,
            most_job_indices=0,
        )
        runs = [
            RunFacts(f"{store.environment}_{name}", f"run-{store.environment}", environment=store.environment)
            for name in ("p", "q")
        ]
        await full.record([run.completed("GREEN") for run in runs])
        await full.refresh()
        models = [indices.job_read_model(run.job_name) for run in runs]
        assert {await full.backend.resolve(model) for model in models} == {"rm-job-events-_shared-v0001"}
        pages = [await full.read_models.search(model, {}) for model in models]
        assert [[item["id"] for item in page.items] for page in pages] == [[run.run_id] for run in runs]
        await full.record([run.completed("GREEN") for run in runs])
        assert await full.read_models.get(models[0], runs[0].run_id) is not None

    async def test_writers_that_see_a_job_first_at_once_agree_on_its_index(self, store: Store) -> None:
        how: dict[str, Any] = {"environment": store.environment, "service": "test", "clock": store.clock}
        writers = [Store(store.backend, most_job_indices=most, **how) for most in (0, 300) * 3]
        job = f"{store.environment}_raced"
        runs = [RunFacts(job, f"run-{number}", environment=store.environment) for number in range(6)]
        await asyncio.gather(
            *(writer.record([run.completed("GREEN")]) for writer, run in zip(writers, runs, strict=True))
        )
        model = indices.job_read_model(job)
        assert await store.backend.resolve(model) is not None
        documents = [await store.read_models.get(model, run.run_id) for run in runs]
        assert [document["job_run_id"] for document in documents if document] == [
            f"run-{n}" for n in range(6)
        ]

    async def test_an_event_of_the_last_millisecond_redelivered_next_month_is_a_duplicate(
        self, store: Store, clock: ManualClock
    ) -> None:
        last = parse_time("2026-11-30T23:59:59.999000Z")
        run = RunFacts(f"job_{store.environment}", environment=store.environment, start=last)
        event = run.completed("GREEN")
        outcomes = await store.events.append([event])
        clock.advance(8 * 24 * 3600)
        outcomes += await store.events.append([event])
        assert indices.month_index("job", event.timestamp) == "events-job-v1-2026-11"
        assert outcomes == [Appended.STORED, Appended.DUPLICATE]

    async def test_the_daily_bootstrap_closes_a_month_45_days_after_its_end_and_what_comes_then_is_late(
        self, store: Store
    ) -> None:
        clock = ManualClock(parse_time("2021-06-10T00:00:00.000000Z"))
        old = Store(store.backend, environment=store.environment, service="test", clock=clock)

        def run(number: int) -> RunFacts:
            return RunFacts(f"job_{store.environment}", f"run-{number}", 1, store.environment, clock.now())

        async def daily() -> list[str]:
            found = await bootstrap_backend(store.backend, replicas=0, now=clock.now())
            return [line for line in found if "2021-06" in line and "open" in line]

        await daily()
        first, later = run(1).completed("GREEN"), run(2).completed("GREEN")
        other = run(1).completed("RED")
        outcomes = await old.events.append([first])
        clock.advance((20 + 44) * 24 * 3600)  # 44 days after the end of June
        open_still = await daily()
        clock.advance(2 * 24 * 3600)
        closed = await daily()
        outcomes += await old.events.append([first, other, later])
        outcomes += await old.events.append([later])
        assert open_still == []
        assert "index events-job-v1-2021-06 is still open for writing" in closed
        assert outcomes == [
            *(Appended.STORED, Appended.DUPLICATE, Appended.CONFLICT),
            *(Appended.STORED, Appended.DUPLICATE),
        ]
        [in_late] = await store.backend.read([(indices.LATE, later.event_id)])
        assert in_late is not None

    async def test_folding_again_changes_nothing(self, store: Store) -> None:
        run = job_of(store)
        events = [run.started(), run.completed(), run.requested(), run.decision("REJECTED")]
        await store.record(events)
        before = await store.backend.read([("job-events", run.run_id)])
        await store.record(events)
        assert await store.backend.read([("job-events", run.run_id)]) == before

    async def test_read_models_are_searched_page_by_page(self, store: Store) -> None:
        for number in range(5):
            run = job_of(store, f"run-{number}")
            await store.record([run.completed("GREEN", minute=number)])
        await store.refresh()
        where: JsonObject = {"environment": store.environment, "status": ["SUCCESS", "FAILED"]}
        search = store.read_models.search
        first = await search("job-events", where, limit=3)
        second = await search("job-events", where, limit=3, after=first.after)
        named = [document["job_run_id"] for document in [*first.items, *second.items]]
        assert named == ["run-4", "run-3", "run-2", "run-1", "run-0"]
        assert second.after is None
        assert (await search("job-events-never_ran", {})).items == []

    async def test_one_of_20_claimants_acquires_and_the_others_wait(self, store: Store) -> None:
        claims = await asyncio.gather(
            *(
                store.claims.acquire(f"trigger|{store.environment}", owner=f"o{n}", lease_seconds=30)
                for n in range(20)
            )
        )
        states = sorted(claim.state for claim in claims)
        assert states == [ClaimState.ACQUIRED] + [ClaimState.HELD] * 19

    async def test_a_claim_whose_lease_ran_out_is_taken_over_once(
        self, store: Store, clock: ManualClock
    ) -> None:
        first = await store.claims.acquire(f"trigger|{store.environment}", owner="a", lease_seconds=30)
        clock.advance(31)
        claims = await asyncio.gather(
            *(
                store.claims.acquire(f"trigger|{store.environment}", owner=f"b{n}", lease_seconds=30)
                for n in range(5)
            )
        )
        states = sorted(claim.state for claim in claims)
        assert states == [ClaimState.HELD] * 4 + [ClaimState.TAKEN_OVER]
        assert {claim.created_at for claim in claims} == {first.created_at}

    async def test_a_claim_that_is_done_stays_done_with_its_first_response(
        self, store: Store, clock: ManualClock
    ) -> None:
        first = await store.claims.acquire(f"notify|{store.environment}|1|s", owner="a", lease_seconds=30)
        clock.advance(31)
        second = await store.claims.acquire(f"notify|{store.environment}|1|s", owner="b", lease_seconds=30)
        await store.claims.done(first, {"message_id": "m1"})
        await store.claims.done(second, {"message_id": "m2"})
        clock.advance(1000)
        third = await store.claims.acquire(f"notify|{store.environment}|1|s", owner="c", lease_seconds=30)
        assert (third.state, third.response) == (ClaimState.DONE, {"message_id": "m1"})

    async def test_documents_change_by_compare_and_set_and_are_found_by_state(self, store: Store) -> None:
        key = f"decision|{store.environment}|j|r|1"
        own: JsonObject = {"kind": "decision", "environment": store.environment}
        body: JsonObject = {**own, "state": "open", "created_at": "2026-11-23T08:00:00.000000Z"}
        created = [await store.decisions.create(key, body) for _ in range(2)]
        current = await store.decisions.get(key)
        assert current is not None
        replaced = [await store.decisions.replace(current, body | {"state": "done"}) for _ in range(2)]
        done = await store.decisions.find({**own, "state": "done"})
        still_open = await store.decisions.find({**own, "state": "open"})
        assert (created, replaced) == ([True, False], [True, False])
        assert ([found.key for found in done], still_open) == ([key], [])

    async def test_a_lease_has_one_owner_until_it_ends(self, store: Store, clock: ManualClock) -> None:
        first = await store.leases.acquire(f"timer-{store.environment}", owner="a", seconds=15)
        assert await store.leases.acquire(f"timer-{store.environment}", owner="b", seconds=15) is None
        clock.advance(10)
        assert await store.leases.acquire(f"timer-{store.environment}", owner="a", seconds=15) is not None
        clock.advance(10)
        assert await store.leases.acquire(f"timer-{store.environment}", owner="b", seconds=15) is None
        clock.advance(6)
        assert await store.leases.acquire(f"timer-{store.environment}", owner="b", seconds=15) is not None
        assert first is not None
        await store.leases.release(first)
        assert await store.leases.acquire(f"timer-{store.environment}", owner="a", seconds=15) is None

    async def test_a_replayed_message_that_is_refused_again_is_open_again_and_a_discarded_one_stays(
        self, store: Store
    ) -> None:
        raw = f"not json {store.environment}".encode()

        def refused(reason: QuarantineReason) -> QuarantineRecord:
            return quarantine_record("indexer", None, raw, {}, Refused(reason), store.clock.now())

        first = refused(QuarantineReason.NOT_JSON)
        states = []
        after = None
        for change in ("replayed", "discarded"):
            await store.quarantine.put(first)
            record = await store.quarantine.get(first.quarantine_id)
            assert record is not None
            assert await store.quarantine.change_state(record, change)
            assert not await store.quarantine.change_state(record, change)
            await store.quarantine.put(refused(QuarantineReason.UNMAPPABLE))
            after = await store.quarantine.get(first.quarantine_id)
            assert after is not None
            states.append((after.body["state"], after.body["reason"]))
        assert after is not None
        assert raw_bytes(after.body) == raw
        assert states == [("open", "unmappable"), ("discarded", "unmappable")]

    async def test_an_incident_shows_its_highest_revision(self, store: Store) -> None:
        run = job_of(store)
        await store.record([run.incident(2, "resolved", 9), run.incident(1), run.notification("sent", 2)])
        document = await store.read_models.get("job-alerts", run.incident_id)
        await store.refresh()
        found = await store.read_models.search(
            "job-alerts", {"causes.job_run_id": run.job_run_id, "environment": store.environment}
        )
        assert document is not None
        assert (document["state"], document["rev"]) == ("resolved", 2)
        assert [each["outcome"] for each in document["deliveries"]] == ["sent"]  # type: ignore[union-attr,call-overload,index]
        assert found.items == [document]

    async def test_sums_of_line_items_by_name_equal_those_of_the_events_also_after_a_second_attempt(
        self, store: Store
    ) -> None:
        def a_run(number: int, attempt: int) -> Event:
            run = job_of(store, f"run-{number}", attempt)
            own = number * 10 + attempt
            types: list[JsonValue] = [
                {"name": name, "records": own, "dropped": 1} for name in ("a", "b", "a")
            ]
            summary: list[JsonValue] = [{"category": "n", "records": own, "bytes": 7 * own, "file_count": 2}]
            metrics = run.metrics({"transform": {"data_types": types}, "load": {"output_summary": summary}})
            reasons: list[JsonValue] = [{"reason": reason, "count": own} for reason in ("x", "y")[:attempt]]
            return run.completed("GREEN", attempt, metrics=metrics | {"drop_reasons": reasons})

        first, second = [a_run(number, 1) for number in range(4)], [a_run(number, 2) for number in (1, 2)]
        await store.record([*first, second[0]])
        assert await self._line_sums(store) == _oracle([first[0], first[2], first[3], second[0]])
        await store.record([second[1], *first, second[1]])
        assert await self._line_sums(store) == _oracle([first[0], first[3], *second])

    @staticmethod
    async def _line_sums(store: Store) -> dict[tuple[str, str, str], float]:
        await store.refresh()
        where: JsonObject = {"environment": store.environment, "latest_attempt": True}
        page = await store.read_models.search(indices.JOB_LINE_ITEMS, where, limit=1000)
        return _sums(page.items)


def _sums(lines: Sequence[JsonObject]) -> dict[tuple[str, str, str], float]:
    sums: Counter[tuple[str, str, str]] = Counter()
    for line in lines:
        for field in ("count", "records", "dropped", "bytes", "file_count"):
            value = line.get(field)
            if isinstance(value, int | float):
                sums[str(line["kind"]), str(line["name"]), field] += int(value)
    return dict(sums)


def _oracle(events: Sequence[Event]) -> dict[tuple[str, str, str], float]:
    """The same sums read from the events in the plainest way."""
    lines: list[JsonObject] = []
    for event in events:
        metrics: Any = event.body["metrics"]
        lines += [{"kind": "drop_reason", "name": each["reason"], **each} for each in metrics["drop_reasons"]]
        payload = metrics["payload"]
        lines += [{"kind": "data_type", **each} for each in payload["transform"]["data_types"]]
        summary = payload["load"]["output_summary"]
        lines += [{"kind": "category", "name": each["category"], **each} for each in summary]
    return _sums(lines)
