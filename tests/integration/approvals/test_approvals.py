from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.integration
DYING = Path(__file__).with_name("dying_approvals.py")


async def test_a_red_run_is_opened_approved_and_published(approvals):
    approvals.start()
    await approvals.red_run("run-line")
    assert (await approvals.pending("run-line"))["approval_status"] == "PENDING"

    answer = await approvals.decide("run-line", "ann")

    assert answer.status_code == 201, answer.text
    [message] = await approvals.running.until(lambda: _later(approvals.messages("run-line")))
    assert message == answer.json()
    assert (await approvals.claim("run-line"))["state"] == "done"
    assert (await approvals.pending("run-line"))["approval_status"] == "APPROVED"
    page = await approvals.get("/runs/transform_images/run-line")
    assert page.status_code == 200
    assert approvals.running.stop() == 0


async def test_a_decision_whose_process_died_after_the_claim_is_finished_within_10_s(approvals):
    approvals.start(DYING)
    await approvals.red_run("run-crash")
    await approvals.pending("run-crash")
    with pytest.raises(httpx.TransportError):
        await approvals.decide("run-crash", "ann")
    assert approvals.running.died() == 137
    claimed = await approvals.claim("run-crash")
    assert claimed["state"] == "open"

    approvals.start()
    await approvals.running.until(lambda: _answers(approvals))
    started = approvals.running.clock.monotonic()
    messages = await approvals.running.until(lambda: _later(approvals.messages("run-crash")), seconds=10)

    assert approvals.running.clock.monotonic() - started < 10
    assert {message["event_id"] for message in messages} == {claimed["event"]["event_id"]}
    assert messages[0] == claimed["event"]
    await approvals.running.until(lambda: _done(approvals, "run-crash"), seconds=5)
    assert (await approvals.pending("run-crash"))["approved_by"] == "ann"
    assert (await approvals.decide("run-crash", "ann")).status_code == 200


async def _later(found):
    return found


async def _answers(approvals):
    answer = await approvals.get("/livez")
    return answer is not None and answer.status_code == 200


async def _done(approvals, run_id):
    return (await approvals.claim(run_id))["state"] == "done"
