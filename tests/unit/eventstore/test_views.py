import pytest
from dwh_contracts.clock import ManualClock
from dwh_eventstore import Store, memory_store, views
from dwh_eventstore.testing import RunFacts
from dwh_eventstore.testing.events import START

RUN = RunFacts()
RULE = {"rule_id": "r1", "trigger_set": "on_success", "target": "filter_dag", "value": None}
MATCHED = {**RULE, "matched": True, "clause": "always"}


@pytest.fixture
def store() -> Store:
    return memory_store(clock=ManualClock(START))


async def why(store: Store) -> tuple[str, str]:
    answer = await views.why(store, "filter_dag", RUN.job_name, RUN.job_run_id)
    assert answer.started == (answer.situation == "dag_run")
    assert answer.as_json()["sentence"] == answer.sentence
    return answer.situation, answer.sentence


async def test_why_a_run_nobody_heard_of(store: Store) -> None:
    assert await why(store) == ("never_received", "No event of transform_images run-1 was ever received.")


async def test_why_a_run_that_is_only_known_by_an_approval(store: Store) -> None:
    await store.record([RUN.decision()])
    assert (await why(store))[0] == "never_received"


async def test_why_while_the_orchestrator_is_behind(store: Store) -> None:
    await store.record([RUN.completed("GREEN")])
    assert (await why(store))[0] == "not_recorded"


async def test_why_a_red_run_waits(store: Store) -> None:
    run = RUN.completed("RED")
    await store.record([run, RUN.requested(), RUN.recorded(run, situation="waiting_for_approval")])
    situation, sentence = await why(store)
    assert situation == "waiting_for_approval"
    assert sentence == "filter_dag did not start: transform_images run-1 is RED and waits for approval."


async def test_why_a_rejected_run(store: Store) -> None:
    run, rejected = RUN.completed("RED"), RUN.decision("REJECTED")
    await store.record([run, RUN.requested(), RUN.recorded(run, situation="waiting_for_approval")])
    await store.record([rejected, RUN.accepted(rejected), RUN.recorded(rejected, situation="on_rejection")])
    assert await why(store) == (
        "not_accepted",
        "filter_dag did not start: transform_images run-1 is REJECTED by ann.",
    )


async def test_why_a_decision_that_was_not_accepted(store: Store) -> None:
    run, refused = RUN.completed("RED"), RUN.decision("APPROVED")
    await store.record([run, RUN.recorded(run, situation="waiting_for_approval"), refused])
    reason = "the decision was not accepted: refused"
    await store.record([RUN.recorded(refused, situation="ignored", reason=reason)])
    assert await why(store) == ("not_accepted", f"filter_dag did not start: {reason}.")


async def test_why_no_rule_names_the_dag(store: Store) -> None:
    run = RUN.completed("GREEN")
    await store.record([run, RUN.recorded(run, situation="on_success", reason="0 of 0 rules matched")])
    assert (await why(store))[0] == "no_rule"


@pytest.mark.parametrize(
    ("clause", "value", "situation"),
    [("when job.x > `1`", False, "clause_false"), ("min_quality GREEN", "YELLOW", "min_quality")],
)
async def test_why_names_the_clause_that_decided(store: Store, clause, value, situation) -> None:
    run = RUN.completed("YELLOW")
    rule = {**RULE, "matched": False, "clause": clause, "value": value}
    await store.record([run, RUN.recorded(run, situation="on_success", rules=[rule])])
    answer = await views.why(store, "filter_dag", RUN.job_name, RUN.job_run_id)
    assert answer.situation == situation
    assert answer.sentence == f"filter_dag did not start: rule r1 did not match, {clause} was {value}."
    assert answer.rules == [rule]
    assert answer.config_version == "c1"


FINISHED = {"state": "success", "duration_seconds": 1.0, "end_date": "2026-11-23T08:10:48Z"}


@pytest.mark.parametrize(
    ("events", "situation", "words"),
    [
        ([RUN.trigger("requested")], "not_sent", "not sent yet"),
        ([RUN.trigger("sent")], "in_queue", "dead-letter queue"),
        ([RUN.trigger("failed", error="no such queue")], "trigger_failed", "failed: no such queue"),
        ([RUN.trigger("skipped", outcome="skipped_stale")], "trigger_skipped", "skipped_stale"),
        ([RUN.trigger("sent"), RUN.dag_run("dag_run_created")], "dag_run", "is created"),
        ([RUN.trigger("sent"), RUN.dag_run("dag_run_finished", **FINISHED)], "dag_run", "is success"),
    ],
)
async def test_why_follows_a_trigger_to_its_dag_run(store: Store, events, situation, words) -> None:
    run = RUN.completed("GREEN")
    await store.record([run, RUN.recorded(run, situation="on_success", rules=[MATCHED])])
    await store.record(events)
    found, sentence = await why(store)
    assert found == situation
    assert words in sentence


def shape(node) -> object:
    below = [shape(child) for child in node["children"]]
    return (node["kind"], node["state"], *([below] if below else []))


async def test_a_trace_goes_from_a_run_to_what_its_triggers_started(store: Store) -> None:
    approve, reject = RUN.decision(), RUN.decision("REJECTED", "bob", 9)
    downstream = RunFacts(job_name="filter_images", job_run_id="dag-run-1")
    await store.record([RUN.completed("RED"), RUN.requested(), RUN.incident(), RUN.notification("sent")])
    await store.record([approve, RUN.accepted(approve), reject, RUN.verdict(reject, "conflict")])
    await store.record([RUN.trigger("requested"), RUN.trigger("sent"), RUN.dag_run("dag_run_created")])
    await store.record([downstream.completed("GREEN", causation_id=RUN.trigger_id)])
    root = await views.trace(store, RUN.job_run_id)
    assert root is not None
    assert set(root) == {"kind", "id", "name", "timestamp", "state", "detail", "children"}
    assert shape(root) == (
        "run",
        "PENDING_APPROVAL",
        [
            ("event", "PENDING_APPROVAL"),
            ("check", "RED"),
            ("alert", "open"),
            ("approval", "APPROVED", [("decision", "accepted"), ("decision", "conflict")]),
            (
                "trigger",
                "sent",
                [("dag_run", "created", [("run", "SUCCESS", [("event", "SUCCESS"), ("check", "GREEN")])])],
            ),
        ],
    )


async def test_a_trace_shows_triggers_and_dag_runs_at_their_own_times(store: Store) -> None:
    sent, created = RUN.trigger("sent"), RUN.dag_run("dag_run_created")
    await store.record([RUN.completed("GREEN"), RUN.trigger("requested"), sent, created])
    root = await views.trace(store, RUN.job_run_id)
    assert root is not None
    [trigger] = [child for child in root["children"] if child["kind"] == "trigger"]
    assert trigger["timestamp"] == sent.body["timestamp"]
    [dag_run] = trigger["children"]
    assert dag_run["timestamp"] == created.body["timestamp"]
    assert root["timestamp"] < trigger["timestamp"] < dag_run["timestamp"]


async def test_a_trace_of_a_run_that_started_itself_ends(store: Store) -> None:
    await store.record([RUN.completed("GREEN", causation_id=RUN.trigger_id), RUN.trigger("sent")])
    root = await views.trace(store, RUN.job_run_id, RUN.job_name)
    assert root is not None
    assert shape(root)[2][-1] == ("trigger", "sent")


async def test_a_trace_of_an_unknown_run_is_none(store: Store) -> None:
    assert await views.trace(store, "nowhere") is None


async def test_runs_are_listed_by_newest_attempt(store: Store) -> None:
    second = RunFacts(attempt=2)
    await store.record(
        [RUN.completed("RED"), second.completed("GREEN", 9), RunFacts(job_run_id="x").decision()]
    )
    listed = await views.list_runs(store, job_name=RUN.job_name)
    assert [run["id"] for run in listed.items] == [second.run_id]
    assert (await views.list_runs(store, status="FAILED")).items == []
    newest = await views.show_run(store, RUN.job_name, RUN.job_run_id)
    first = await views.show_run(store, RUN.job_name, RUN.job_run_id, attempt=1)
    assert newest is not None
    assert first is not None
    assert (newest["attempt"], first["attempt"]) == (2, 1)
    assert await views.show_run(store, RUN.job_name, "nowhere") is None
