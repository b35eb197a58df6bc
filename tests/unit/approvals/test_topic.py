"""What comes by messages: runs, newer attempts, our own copies, and decisions of strangers."""

import asyncio

import pytest
from dwh_contracts.ids import approval_refused_id
from dwh_contracts.parse import event_from_body
from dwh_contracts.testing import a_job_event, a_job_started
from dwh_runtime.outcomes import Poison, Retry

PATH = "/api/v1/approvals/transform_images/run-1"
STATES = ("UNKNOWN", "PENDING", "APPROVED", "REJECTED", "EXPIRED")
TABLE = {
    ("APPROVED", "tom"): ("early", "accepted", "superfluous", "conflict", "conflict"),
    ("REJECTED", "tom"): ("early", "accepted", "conflict", "superfluous", "superfluous"),
    ("APPROVED", "viewer"): ("refused",) * 5,
    ("REJECTED", "airflow"): ("early", "refused", "refused", "refused", "refused"),
}


async def bring_to(line, state):
    if state != "UNKNOWN":
        await line.run()
    if state in {"APPROVED", "REJECTED"}:
        assert (await line.decide("ann", state)).status_code == 201
    if state == "EXPIRED":
        line.clock.advance(73 * 3600)
        await line.expiry.tick()


@pytest.mark.parametrize(
    ("decision", "by", "state", "outcome"),
    [
        (decision, by, state, outcome)
        for (decision, by), outcomes in TABLE.items()
        for state, outcome in zip(STATES, outcomes, strict=True)
    ],
)
async def test_a_strangers_decision_meets_the_state_of_its_approval(line, decision, by, state, outcome):
    await bring_to(line, state)
    for _ in range(2):
        await line.message(decision, by)
    assert [found for found in await line.outcomes() if found[0] == by] == [(by, decision, outcome)]


async def test_what_a_stranger_claims_of_itself_is_not_believed(line):
    await line.run()
    sent = await line.message(by="tom", decided_by_verified=True, principal="local:ann", channel="console")
    [published] = line.published
    assert (published["decided_by_verified"], published["principal"]) == (False, None)
    assert published["channel"] == "topic"
    assert published["event_id"] == sent.event_id
    assert (await line.store.decisions.get("decision|local|transform_images|run-1|1")).body[
        "event"
    ] == published


async def test_an_id_that_was_brought_is_ignored(line):
    await line.run()
    await line.message(by="tom", event_id="f" * 32)
    [published] = line.published
    assert published["event_id"] != "f" * 32
    assert (await line.decide("tom")).status_code == 200


async def test_an_early_decision_is_judged_when_its_run_arrives(line):
    await line.message("APPROVED", "tom", timestamp="2026-11-23T09:30:00.000000Z")
    await line.message("REJECTED", "bob", timestamp="2026-11-23T09:20:00.000000Z")
    assert line.published == []
    await line.run()
    assert [message["decided_by"] for message in line.published] == ["bob"]
    assert await line.outcomes() == [("bob", "REJECTED", "accepted"), ("tom", "APPROVED", "conflict")]


async def test_our_own_copies_change_nothing(line):
    await line.run()
    line.clock.advance(37 * 3600)
    await line.expiry.tick()
    await line.decide("ann")
    before = await line.facts()
    for body in line.published:
        await line.on(event_from_body(body))
    assert [body["event_type"] for body in line.published] == ["approval_reminder", "approval_decision"]
    assert await line.facts() == before


async def test_our_own_copy_is_ours_even_if_its_author_has_lost_the_right(a_line):
    line = await a_line()
    await line.run()
    await line.decide("ann")
    strict = await line.replica(approvers=["user:nobody"])
    await strict.on(event_from_body(line.published[0]))
    assert await line.outcomes() == [("ann", "APPROVED", "accepted")]


@pytest.mark.parametrize("event_type", ["approval_expired", "approval_accepted", "approval_reminder"])
async def test_nobody_but_this_service_closes_or_reminds(line, event_type):
    await line.run()
    envelope = {
        "schema_version": "1.0",
        "environment": "local",
        "job_name": "transform_images",
        "job_run_id": "run-1",
        "attempt": 1,
        "timestamp": "2026-11-23T09:00:00.000000Z",
    }
    more = {
        "approval_expired": {"decision": "EXPIRED", "decided_by": "system:expiry"},
        "approval_accepted": {"accepted_event_id": "x", "decision": "APPROVED", "decided_by": "mallory"},
        "approval_reminder": {"stage": 50, "expires_at": "2030-01-01T00:00:00Z"},
    }
    forged = event_from_body({**envelope, "event_type": event_type, **more[event_type]})
    await line.on(forged)
    document = await line.document()
    assert document["approval_status"] == "PENDING"
    assert document["approval_expires_at"].startswith("2026-11-26T")
    refused = approval_refused_id("local", forged.content_hash)
    verdict = (await line.store.decisions.get(f"verdict|{refused}")).body
    assert (verdict["outcome"], verdict["event_id"]) == ("refused", refused)
    assert (await line.decide("ann")).status_code == 201


@pytest.mark.parametrize(
    "over",
    [{"reason": " " * 20}, {"reason": "\x00" * 20}, {"by": "system:expiry"}, {"by": "a b"}, {"by": ""}],
)
async def test_a_decision_that_cannot_be_kept_is_quarantined(line, over):
    await line.run()
    with pytest.raises(Poison):
        await line.message(**over)
    assert await line.outcomes() == []


async def test_a_run_is_opened_once_however_often_its_message_comes(line):
    run = await line.run()
    line.clock.advance(60)
    await line.on(run)
    [requested] = await line.facts("approval_requested")
    assert requested.body["source_event_id"] == run.event_id
    assert requested.body["expires_at"] == "2026-11-26T08:01:48.250000Z"


async def test_a_run_that_is_not_in_the_store_yet_is_tried_again(line):
    event = event_from_body(a_job_event(environment="local", quality_status="RED"))
    handling = asyncio.create_task(line.on(event))
    while not handling.done():
        await asyncio.sleep(0)
        line.clock.advance(1)
    with pytest.raises(Retry):
        await handling
    assert await line.facts() == []


async def test_runs_that_ask_nobody_open_nothing(line):
    for over in ({"quality_status": "GREEN"}, {"status": "FAILED", "job_run_id": "run-2"}):
        await line.run(**over)
    assert await line.facts() == []


@pytest.mark.parametrize("status", ["PENDING_APPROVAL", "SUCCESS", "FAILED"])
@pytest.mark.parametrize("newer_first", [False, True])
async def test_a_newer_attempt_closes_an_older_one_whichever_comes_first(line, status, newer_first):
    older, newer = {"quality_status": "RED"}, {"status": status, "attempt": 2}
    for over in (newer, older) if newer_first else (older, newer):
        await line.run(**over)
    [expired] = [body for body in line.published if body["event_type"] == "approval_expired"]
    assert (expired["attempt"], expired["decided_by"]) == (1, "system:superseded")
    final = (await line.store.decisions.get("decision|local|transform_images|run-1|1")).body
    assert final["event"] == expired
    answer = await line.decide("ann")
    if status == "PENDING_APPROVAL":
        assert (answer.status_code, answer.json()["attempt"]) == (201, 2)
    else:
        assert answer.status_code == 409


async def test_an_older_attempt_that_was_decided_stays_decided(line):
    await line.run()
    await line.decide("ann")
    await line.run(attempt=2, status="SUCCESS")
    assert [body["event_type"] for body in line.published] == ["approval_decision"]


async def test_three_votes_of_three_people_decide(a_line):
    line = await a_line(required=3)
    await line.run()
    first = await line.decide("ann")
    assert first.status_code == 201
    assert (first.json()["accepted"], first.json()["votes"]) == (False, {"have": 1, "need": 3})
    again = await line.decide("ann")
    assert (again.status_code, again.json()["votes"]) == (200, {"have": 1, "need": 3})
    await line.message("APPROVED", "ann")
    await line.message("APPROVED", "tom")
    assert (await line.document())["approval_status"] == "PENDING"
    third = await line.decide("bob")
    assert (third.status_code, third.json()["decided_by"]) == (201, "bob")
    assert [message["decided_by"] for message in line.published] == ["bob"]
    [accepted] = await line.facts("approval_accepted")
    assert accepted.body["voters"] == ["ann", "tom", "bob"]
    assert await line.outcomes() == [
        ("ann", "APPROVED", "vote"),
        ("bob", "APPROVED", "accepted"),
        ("tom", "APPROVED", "vote"),
    ]


async def test_two_people_at_one_instant_have_two_votes(a_line):
    line = await a_line(required=3)
    other = await line.replica(required=3)
    await line.run()
    answers = await asyncio.gather(line.decide("ann"), other.decide("bob"), line.decide("ann"))
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert (await line.decide("carl")).json()["decided_by"] == "carl"
    [accepted] = await line.facts("approval_accepted")
    assert sorted(accepted.body["voters"]) == ["ann", "bob", "carl"]


async def test_events_of_other_kinds_ask_nothing_of_this_service(line):
    await line.on(event_from_body(a_job_started(environment="local")))
    assert await line.facts() == []


async def test_a_conflicting_copy_that_asks_opens_nothing_for_a_run_that_asks_nobody(line):
    stored = await line.indexed(quality_status="GREEN")
    forged = event_from_body(
        a_job_event(environment="local", quality_status="RED") | {"event_id": stored.event_id}
    )
    await line.on(forged)
    assert await line.facts("approval_requested") == []
