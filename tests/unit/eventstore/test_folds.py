from collections.abc import Sequence
from functools import reduce

import pytest
from dwh_contracts.parse import Event, event_from_body
from dwh_eventstore import folds, indices
from dwh_eventstore.folds import approvals, line_items, runs
from dwh_eventstore.folds.registers import visible
from dwh_eventstore.mapping_check import learn
from dwh_eventstore.mappings import read_model
from dwh_eventstore.testing import RunFacts
from hypothesis import given, settings
from hypothesis import strategies as st

FIRST, SECOND = RunFacts(), RunFacts(attempt=2)
APPROVE, REJECT = FIRST.decision("APPROVED", "ann"), FIRST.decision("REJECTED", "bob", 4)


def brought(event: Event, event_id: str) -> Event:
    return event_from_body(event.body | {"event_id": event_id})


EVENTS = [
    FIRST.started(),
    brought(FIRST.started(minute=-3), "0" * 32),
    FIRST.completed("RED"),
    brought(
        FIRST.completed("GREEN", 3, quality={"status": "GREEN", "evaluated": True, "checks": []}), "f" * 32
    ),
    brought(FIRST.completed("YELLOW", 0), "e" * 32),
    SECOND.started(8),
    SECOND.completed("GREEN", 10),
    FIRST.requested(),
    FIRST.reminder("50"),
    FIRST.reminder("100", hours=144),
    APPROVE,
    REJECT,
    FIRST.accepted(APPROVE),
    FIRST.verdict(REJECT, "conflict"),
    brought(FIRST.verdict(REJECT, "superfluous"), "d" * 32),
    FIRST.verdict(FIRST.decision(by="cy"), "vote"),
    FIRST.expired(),
    FIRST.trigger("requested"),
    FIRST.trigger("skipped", outcome="skipped_stale"),
    FIRST.trigger("failed", error={"code": "Throttled"}),
    FIRST.trigger("sent", 3),
    FIRST.dag_run("trigger_failed", 4),
    FIRST.dag_run("dag_run_created", 5),
    FIRST.dag_run(
        "dag_run_finished", 6, state="failed", duration_seconds=1.0, end_date="2026-11-23T08:07:48Z"
    ),
    FIRST.dag_run(
        "dag_run_finished", 9, state="success", duration_seconds=1.0, end_date="2026-11-23T08:10:48Z"
    ),
    FIRST.incident(1),
    FIRST.incident(2, minute=2),
    FIRST.incident(3, "resolved", 6),
    FIRST.notification("failed"),
    FIRST.notification("sent", minute=4),
    FIRST.notification("skipped", 2),
]


def folded(events: Sequence[Event]) -> dict[folds.Target, object]:
    """Every document these events give, with the quality of runs given to decisions as the writer does."""
    documents: dict[folds.Target, object] = {}
    for event in events:
        for target in folds.targets(event):
            documents[target] = folds.fold(documents.get(target), event, target)
            _give_quality(documents, target)
    return documents


def _give_quality(documents, touched) -> None:
    if touched.model != indices.JOB_EVENTS:
        return
    run = documents[touched]
    for item in run["approvals"]:
        target = folds.Target(approvals.MODEL, item["id"], touched.attempt)
        documents[target] = approvals.with_run(documents.get(target) or item, run)
    for item_id, line in line_items.of_run(run):
        target = folds.Target(line_items.MODEL, item_id, touched.attempt)
        documents[target] = line_items.with_run(documents.get(target), item_id=item_id, line=line, run=run)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_order_and_duplication_of_any_events_gives_the_same_documents(data) -> None:
    chosen = data.draw(st.lists(st.sampled_from(EVENTS), unique_by=lambda event: event.event_id, max_size=14))
    doubled = data.draw(
        st.permutations(chosen + data.draw(st.lists(st.sampled_from(chosen)) if chosen else st.just([])))
    )
    assert folded(doubled) == folded(chosen)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event_type)
def test_no_fold_changes_the_state_it_was_given(event: Event) -> None:
    for target in folds.targets(event):
        before = folded(EVENTS).get(target)
        folds.fold(before, event, target)
        assert before == folded(EVENTS).get(target)


def test_every_document_fits_the_strict_mapping_of_its_read_model() -> None:
    for target, document in folded(EVENTS).items():
        assert learn(read_model(target.model), document)[1] == ""


def fold_all(target: folds.Target, *events: Event):
    mine = [event for event in events if target in folds.targets(event)]
    return reduce(lambda state, event: folds.fold(state, event, target), mine, None)


RUN = folds.Target(indices.JOB_EVENTS, FIRST.run_id, 1)
TRIGGER = folds.Target(indices.JOB_TRIGGERS, FIRST.trigger_id, 1)


def test_the_document_of_a_run_has_the_fields_of_the_interface() -> None:
    document = visible(fold_all(RUN, FIRST.completed("RED")))
    assert set(document) == {
        *("id", "timestamp", "event_type", "environment", "job_name", "job_run_id", "attempt"),
        *("latest_attempt", "status", "failure_type", "quality", "artifacts_available"),
        *("artifacts_base_path", "artifacts", "artifacts_manifest", "metrics", "error"),
        *("throughput_per_second", "success_rate_percent", "approval_status", "approval_expires_at"),
        *("approved_by", "approval_reason", "approval_timestamp", "approval_conflict", "approvals", "known"),
    }
    assert "payload" not in document["metrics"]
    assert (document["throughput_per_second"], document["success_rate_percent"]) == (7.5, 75.0)


def test_the_document_of_a_decision_has_the_fields_of_the_interface() -> None:
    [target] = approvals.targets(APPROVE)
    assert set(fold_all(target, APPROVE)) == {
        *("id", "timestamp", "event_type", "environment", "job_name", "job_run_id", "attempt", "decision"),
        *("decided_by", "decided_by_verified", "principal", "channel", "reason", "accepted", "outcome"),
        *("original_quality_status", "original_checks"),
    }


def test_the_document_of_a_trigger_has_the_fields_of_the_interface() -> None:
    assert set(visible(fold_all(TRIGGER, FIRST.trigger("requested")))) == {
        *("id", "timestamp", "environment", "job_name", "job_run_id", "attempt", "trigger_set", "rule_id"),
        *("type", "target", "conf", "outcome", "error", "config_version", "dag_run_id", "dag_run_state"),
    }


def test_a_run_is_running_until_it_is_completed_whichever_is_heard_first() -> None:
    started, completed = FIRST.started(), FIRST.completed("GREEN")
    assert fold_all(RUN, started)["status"] == "RUNNING"
    assert fold_all(RUN, started, completed)["status"] == "SUCCESS"
    assert fold_all(RUN, completed, started)["status"] == "SUCCESS"


def test_of_two_completions_the_earliest_is_shown_then_the_lowest_id() -> None:
    later = brought(FIRST.completed("GREEN", 3), "0" * 32)
    same_time = brought(FIRST.completed("YELLOW", 0), "f" * 32)
    assert fold_all(RUN, later, same_time, FIRST.completed("RED"))["quality"]["status"] == "RED"


def test_rates_are_null_where_they_are_not_known() -> None:
    metrics = FIRST.metrics({}) | {"records_read": 0, "duration_seconds": 0}
    document = fold_all(RUN, FIRST.completed("GREEN", metrics=metrics))
    assert (document["throughput_per_second"], document["success_rate_percent"]) == (None, None)


def approval_of(*events: Event) -> tuple[object, ...]:
    document = fold_all(RUN, FIRST.completed("RED"), *events)
    names = ("approval_status", "approved_by", "approval_reason", "approval_conflict")
    return tuple(document[name] for name in names)


def test_an_approval_is_null_then_pending_then_final() -> None:
    assert approval_of() == (None, None, None, False)
    assert approval_of(APPROVE) == (None, None, None, False)
    assert approval_of(FIRST.requested()) == ("PENDING", None, None, False)
    accepted = (FIRST.requested(), APPROVE, FIRST.accepted(APPROVE))
    assert approval_of(*accepted) == ("APPROVED", "ann", "ann looked at the rows", False)
    assert approval_of(FIRST.requested(), FIRST.expired()) == ("EXPIRED", "system:expiry", None, False)


def test_a_contrary_decision_is_a_conflict_that_changes_nothing_else() -> None:
    conflict = FIRST.verdict(REJECT, "conflict")
    decided = (FIRST.requested(), APPROVE, FIRST.accepted(APPROVE))
    assert approval_of(*decided, REJECT, conflict) == ("APPROVED", "ann", "ann looked at the rows", True)
    assert REJECT.timestamp < APPROVE.timestamp


def test_the_greatest_expiry_that_was_announced_counts() -> None:
    document = fold_all(RUN, FIRST.reminder("100", hours=144), FIRST.requested())
    assert document["approval_expires_at"] == FIRST.at(144 * 60)


@pytest.mark.parametrize("outcome", ["vote", "superfluous", "refused", "conflict"])
def test_a_decision_is_early_until_its_verdict(outcome: str) -> None:
    [target] = approvals.targets(REJECT)
    assert fold_all(target, REJECT)["outcome"] == "early"
    judged = fold_all(target, FIRST.verdict(REJECT, outcome), REJECT)
    assert (judged["outcome"], judged["accepted"], judged["decided_by"]) == (outcome, False, "bob")


def test_an_expiry_is_a_decision_of_the_clock() -> None:
    expired = FIRST.expired()
    [target] = approvals.targets(expired)
    document = fold_all(target, expired)
    assert (document["decision"], document["accepted"]) == ("EXPIRED", True)


def trigger_of(*events: Event) -> tuple[object, ...]:
    document = fold_all(TRIGGER, *events)
    return tuple(document[name] for name in ("outcome", "error", "dag_run_state"))


def test_the_life_of_a_trigger() -> None:
    requested, sent = FIRST.trigger("requested"), FIRST.trigger("sent")
    failed = FIRST.trigger("failed", error="no such queue")
    finished = {"duration_seconds": 1.0, "end_date": "2026-11-23T08:10:48Z"}
    assert trigger_of(requested) == ("requested", None, None)
    assert trigger_of(requested, failed) == ("failed", "no such queue", None)
    assert trigger_of(failed, sent) == ("sent", None, None)
    assert trigger_of(sent, FIRST.dag_run("trigger_failed")) == ("failed", "unknown DAG", None)
    created = FIRST.dag_run("dag_run_created")
    assert trigger_of(sent, FIRST.dag_run("trigger_failed"), created) == ("sent", None, "created")
    ended = [
        FIRST.dag_run("dag_run_finished", 5 + n, state=s, **finished)
        for n, s in enumerate(("failed", "success"))
    ]
    assert trigger_of(created, *ended) == trigger_of(*reversed(ended), created) == ("sent", None, "success")


def test_the_dispatchers_failure_and_the_orchestrators_are_told_apart() -> None:
    ours, theirs = FIRST.trigger("failed", error="x"), FIRST.dag_run("trigger_failed")
    assert (ours.family, theirs.family) == ("effect", "job")


def test_a_message_that_failed_and_then_was_sent_was_sent() -> None:
    target = folds.Target(indices.JOB_ALERTS, FIRST.incident_id)
    document = fold_all(
        target, FIRST.notification("sent", minute=4), FIRST.notification("failed"), FIRST.incident()
    )
    assert [delivery["outcome"] for delivery in document["deliveries"]] == ["sent"]


def test_a_payload_that_does_not_fit_is_set_aside_whole() -> None:
    own = folds.Target(indices.job_read_model(FIRST.job_name), FIRST.run_id, 1)
    document = runs.overflowed(fold_all(own, FIRST.completed("GREEN")))
    assert (document["payload_overflow"], document["payload_raw"]) == (
        True,
        {"extract": {"corrupt_records": 600}},
    )
    assert "payload" not in document["metrics"]


def test_facts_without_a_document_have_no_target() -> None:
    assert folds.targets(FIRST.recorded(FIRST.completed("GREEN"))) == []


def test_a_decision_keeps_the_quality_of_the_run_its_own_fold_prefers() -> None:
    [target] = approvals.targets(APPROVE)
    started, red = fold_all(RUN, FIRST.started()), fold_all(RUN, FIRST.completed("RED"))
    later = fold_all(RUN, brought(FIRST.completed("GREEN", 3), "f" * 32))
    decision = folds.fold(None, APPROVE, target)
    assert approvals.with_run(decision, started) == decision
    told = approvals.with_run(approvals.with_run(decision, later), red)
    assert told == approvals.with_run(approvals.with_run(decision, red), later)
    assert told["original_quality_status"] == "RED"


def test_any_text_names_a_line_item_and_two_names_never_share_one() -> None:
    names = ["a", "b", "b", "a\x1fb", "a\\x1fb", "drop|1", "ü" * 5000, ""]
    checks = [{"name": name, "status": "RED", "value": 1} for name in names]
    run = fold_all(
        RUN, FIRST.completed("RED", quality={"status": "RED", "evaluated": True, "checks": checks})
    )
    lines = dict(line_items.of_run(run))
    assert sorted(line["name"] for line in lines.values() if line["kind"] == "check") == sorted(names)


def test_a_line_of_an_event_that_is_not_shown_counts_nowhere() -> None:
    metrics = FIRST.metrics({}) | {"drop_reasons": [{"reason": "z", "count": 9}]}
    other = brought(FIRST.completed("GREEN", 3, metrics=metrics), "f" * 32)
    documents = [
        folded(events) for events in ([FIRST.completed("RED"), other], [other, FIRST.completed("RED")])
    ]
    lines = [line for target, line in documents[0].items() if target.model == line_items.MODEL]
    assert documents[0] == documents[1]
    assert {line["name"]: line["count"] for line in lines} == {"drop_rate": None, "corrupt": 50, None: None}


def test_a_line_without_a_name_is_no_line_and_hides_none_beside_it():
    checks = [{"name": None, "value": 1.0}, {"value": 2.0}, {"name": "drop_rate", "value": 3.0}]
    lines = line_items.lines_of({"quality": {"checks": checks}})
    assert [(line["name"], line["value"]) for line in lines.values()] == [("drop_rate", 3.0)]
