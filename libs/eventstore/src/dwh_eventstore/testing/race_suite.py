"""Races of several writers over one store, each by its name; part of `StoreSuite`."""
# ruff: noqa: S101, D102 - a suite of tests: it asserts, and its names are its claims

import asyncio
from dataclasses import dataclass
from typing import Any

from dwh_contracts.canonical import JsonObject

from dwh_eventstore import indices
from dwh_eventstore.log import Appended
from dwh_eventstore.store import Store
from dwh_eventstore.testing.events import RunFacts


def job_of(store: Store, job_run_id: str = "run-1", attempt: int = 1) -> RunFacts:
    """A run of a job that no other test's store knows."""
    return RunFacts(f"job_{store.environment}", job_run_id, attempt, store.environment)


def _another(store: Store, service: str) -> Store:
    return Store(store.backend, environment=store.environment, service=service, clock=store.clock)


async def _run_document(store: Store, run: RunFacts) -> dict[str, Any]:
    document = await store.read_models.get(indices.JOB_EVENTS, run.run_id)
    assert document is not None
    return document


@dataclass(frozen=True)
class _Delivery:
    """Where one copy of a message came from."""

    sns_message_id: str
    topic: str | None = "arn:aws:sns:us-east-1:000000000000:dwh-local-job-approvals"
    sqs_message_id: str | None = None


class RaceSuite:
    """Inherit and give a bootstrapped `store`."""

    async def test_of_two_indexers_with_one_event_at_one_moment_one_stores_it(self, store: Store) -> None:
        event = job_of(store).completed()
        writers = [_another(store, "a"), _another(store, "b")]
        answers = await asyncio.gather(*(writer.record([event]) for writer in writers))
        assert sorted(outcome for [outcome] in answers) == [Appended.DUPLICATE, Appended.STORED]
        await store.refresh()
        found = await store.events.find("job", {"environment": store.environment})
        assert [each.event_id for each in found] == [event.event_id]

    async def test_attempts_1_and_2_at_two_indexers_at_once_end_with_2_as_the_latest(
        self, store: Store
    ) -> None:
        runs = [job_of(store, attempt=attempt) for attempt in (1, 2)]
        writers = [_another(store, "a"), _another(store, "b")]
        await asyncio.gather(
            *(writer.record([run.completed()]) for writer, run in zip(writers, runs, strict=True))
        )
        documents = [await _run_document(store, run) for run in runs]
        assert [document["latest_attempt"] for document in documents] == [False, True]

    async def test_a_crash_after_the_append_before_the_fold_is_repaired_by_the_redelivery(
        self, store: Store
    ) -> None:
        run = job_of(store)
        event = run.completed()
        await store.events.append([event])
        assert await store.read_models.get(indices.JOB_EVENTS, run.run_id) is None
        assert await store.record([event]) == [Appended.DUPLICATE]
        assert (await _run_document(store, run))["status"] == "PENDING_APPROVAL"

    async def test_an_approval_for_a_run_that_never_comes_stays_a_stub_that_boards_leave_out(
        self, store: Store
    ) -> None:
        run = job_of(store)
        decision = run.decision()
        await store.record([decision, run.accepted(decision)])
        await store.refresh()
        known: JsonObject = {"environment": store.environment, "known": True}
        assert (await store.read_models.search(indices.JOB_EVENTS, known)).items == []
        assert (await _run_document(store, run))["known"] is False

    async def test_the_same_decision_twice_is_one_and_a_contrary_one_in_either_order_is_a_conflict(
        self, store: Store
    ) -> None:
        for number, contrary_first in enumerate((False, True)):
            run = job_of(store, f"run-{number}")
            approve, reject = run.decision("APPROVED", "ann"), run.decision("REJECTED", "bob", 3)
            told = [approve, run.accepted(approve), reject, run.verdict(reject, "conflict"), approve]
            await store.record([run.completed()])
            for event in reversed(told) if contrary_first else told:
                await store.record([event])
            document = await _run_document(store, run)
            assert (document["approval_status"], document["approval_conflict"]) == ("APPROVED", True)
            assert {item["decision"] for item in document["approvals"]} == {"APPROVED", "REJECTED"}

    async def test_the_same_decision_under_a_new_sns_id_is_a_duplicate_and_changes_nothing(
        self, store: Store
    ) -> None:
        run = job_of(store)
        decision = run.decision()
        await store.record([run.completed(), run.accepted(decision)])
        assert await store.record([decision], [_Delivery("sns-1")]) == [Appended.STORED]
        before = await _run_document(store, run)
        assert await store.record([decision], [_Delivery("sns-2")]) == [Appended.DUPLICATE]
        assert await _run_document(store, run) == before

    async def test_a_late_rejection_of_earlier_time_after_the_dag_ran_changes_no_state_and_is_a_conflict(
        self, store: Store
    ) -> None:
        run = job_of(store)
        approve, reject = run.decision("APPROVED", "ann", 5), run.decision("REJECTED", "bob", 3)
        await store.record([run.completed(), run.requested(), approve, run.accepted(approve)])
        ended: JsonObject = {"state": "success", "duration_seconds": 1.0, "end_date": run.at(9)}
        dag_run = [run.dag_run("dag_run_created", 8), run.dag_run("dag_run_finished", 9, **ended)]
        await store.record([run.trigger("requested", 6), run.trigger("sent", 7), *dag_run])
        before = await store.read_models.get(indices.JOB_TRIGGERS, run.trigger_id)
        await store.record([reject, run.verdict(reject, "conflict", 10)])
        document = await _run_document(store, run)
        shown = ("approval_status", "approved_by", "approval_conflict")
        assert tuple(document[name] for name in shown) == ("APPROVED", "ann", True)
        assert before is not None
        assert before["dag_run_state"] == "success"
        assert await store.read_models.get(indices.JOB_TRIGGERS, run.trigger_id) == before
