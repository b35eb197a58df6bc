"""What the clock does, and what any replica finishes for one that died."""

import asyncio

import pytest
from dwh_approvals.metrics import OLDEST_PENDING_SECONDS
from dwh_approvals.records import Head
from dwh_eventstore import StoreUnavailable
from dwh_runtime.aws import AwsUnavailable
from dwh_runtime.metrics import PENDING_APPROVALS

HEAD = "approval|local|transform_images|run-1|1"
CLAIM = "decision|local|transform_images|run-1|1"


class Died(BaseException):
    """Stands for the death of the process: nothing catches it."""


def kinds(line):
    return [(body["event_type"], body.get("stage")) for body in line.published]


async def test_reminders_at_half_and_nine_tenths_then_the_end_each_once(a_line):
    line = await a_line()
    other = await line.replica()
    await line.run()
    for _ in range(80):
        line.clock.advance(3600)
        await line.expiry.tick()
        await other.expiry.tick()
    assert kinds(line) == [
        ("approval_reminder", 50),
        ("approval_reminder", 90),
        ("approval_expired", None),
    ]
    assert await line.outcomes() == [("system:expiry", "EXPIRED", "accepted")]
    document = await line.document()
    assert (document["approval_status"], document["approved_by"]) == ("EXPIRED", "system:expiry")
    [accepted] = await line.facts("approval_accepted")
    assert accepted.body["decision"] == "EXPIRED"


async def test_the_clock_does_not_overrule_a_person(line):
    await line.run()
    await line.decide("ann")
    line.clock.advance(100 * 3600)
    await line.expiry.tick()
    assert [body["event_type"] for body in line.published] == ["approval_decision"]


async def test_a_person_is_told_that_the_clock_was_first(line):
    await line.run()
    line.clock.advance(73 * 3600)
    await line.expiry.tick()
    answer = await line.decide("ann")
    assert answer.status_code == 409
    assert answer.json()["winner"]["decided_by"] == "system:expiry"


async def test_a_term_is_what_the_workflow_says(a_line):
    line = await a_line(expires_after_hours=0.05)
    await line.run()
    line.clock.advance(185)
    await line.expiry.tick()
    assert ("approval_expired", None) in kinds(line)


@pytest.mark.parametrize("step", ["record", "publish", "replace"])
async def test_a_death_after_the_claim_is_finished_by_another_replica(a_line, monkeypatch, step):
    line = await a_line()
    await line.run()

    async def dies(*_, **__):
        raise Died

    with monkeypatch.context() as patched:
        owner = {"record": line.store, "publish": line.aws.topics, "replace": line.store.decisions}[step]
        patched.setattr(owner, step, dies)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - a death comes wrapped or bare
            await line.decide("ann")
    claim = (await line.store.decisions.get(CLAIM)).body
    assert claim["state"] == "open"

    other = await line.replica()
    line.clock.advance(4)
    await other.ledger.finish_open()
    await other.ledger.finish_open()
    assert {body["event_id"] for body in line.published} == {claim["event"]["event_id"]}
    assert (await other.store.decisions.get(CLAIM)).body["state"] == "done"
    assert (await other.store.decisions.get(HEAD)).body["state"] == "APPROVED"
    assert (await line.document())["approved_by"] == "ann"
    assert len(await line.facts("approval_accepted")) == 1


async def test_a_verdict_whose_process_died_is_told_by_another(a_line, monkeypatch):
    line = await a_line()
    await line.run()
    await line.decide("ann")

    async def dies(*_):
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(line.store, "record", dies)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - a death comes wrapped or bare
            await line.decide("bob", "REJECTED")
    assert await line.outcomes() == [("ann", "APPROVED", "accepted")]
    line.clock.advance(4)
    await line.ledger.finish_open()
    assert await line.outcomes() == [("ann", "APPROVED", "accepted"), ("bob", "REJECTED", "conflict")]


async def test_a_vote_whose_process_died_is_told_by_the_timer(a_line, monkeypatch):
    line = await a_line(required=2)
    await line.run()

    async def dies(*_):
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(line.ledger, "verdict", dies)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - a death comes wrapped or bare
            await line.decide("ann")
    assert await line.outcomes() == []
    line.clock.advance(4)
    await line.expiry.tick()
    assert await line.outcomes() == [("ann", "APPROVED", "vote")]
    [vote] = Head.model_validate((await line.store.decisions.get(HEAD)).body).votes
    assert vote.told


async def test_one_claim_that_fails_does_not_stop_the_others(line):
    for run in ("run-1", "run-2"):
        await line.run(job_run_id=run)
        line.aws.topics.failures = [AwsUnavailable("no answer")]
        await line.decide("ann", path=f"/api/v1/approvals/transform_images/{run}")
        line.clock.advance(1)
    line.aws.topics.failures = [AwsUnavailable("no answer")]
    line.clock.advance(10)
    await line.ledger.finish_open()
    assert [body["job_run_id"] for body in line.published] == ["run-2"]
    await line.ledger.finish_open()
    assert [body["job_run_id"] for body in line.published] == ["run-2", "run-1"]


async def test_a_reminder_that_was_not_sent_is_sent_at_the_next_look(line):
    for run in ("run-1", "run-2"):
        await line.run(job_run_id=run)
        line.clock.advance(1)
    line.clock.advance(37 * 3600)
    line.aws.topics.failures = [AwsUnavailable("no answer")]
    for reminded in (["run-2"], ["run-2", "run-1"], ["run-2", "run-1"]):
        await line.expiry.tick()
        assert [body["job_run_id"] for body in line.published] == reminded
    assert set(kinds(line)) == {("approval_reminder", 50)}


async def test_looking_goes_on_while_the_store_is_away(line, monkeypatch):
    looks = 0

    async def away(*_, **__):
        nonlocal looks
        looks += 1
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(line.store.decisions, "find", away)
    running = asyncio.create_task(line.ledger.run())
    for _ in range(5):
        await asyncio.sleep(0)
        line.clock.advance(1)
    running.cancel()
    assert looks >= 2


async def test_a_head_that_cannot_be_read_holds_up_no_other(line):
    await line.run()
    await line.store.decisions.create(
        "approval|odd", {"kind": "approval", "state": "PENDING", "environment": "local"}
    )
    await line.expiry.tick()


async def test_a_replica_that_lost_the_timer_shows_no_figure_of_what_is_pending(line):
    def shown():
        return [
            sample.value
            for gauge in (PENDING_APPROVALS, OLDEST_PENDING_SECONDS)
            for sample in gauge.collect()[0].samples
        ]

    await line.run()
    line.clock.advance(60)
    await line.expiry.tick()
    assert shown() == [1, 60]
    line.expiry.hide()
    assert shown() == []
    await line.expiry.tick()
    assert shown() == [1, 60]
