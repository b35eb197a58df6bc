import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from dwh_approvals.app import Parts, compose
from dwh_approvals.settings import Settings
from dwh_contracts.clock import SystemClock
from dwh_contracts.ids import approval_event_id
from dwh_contracts.parse import event_from_body
from dwh_contracts.testing import a_job_event
from dwh_contracts.times import format_time
from dwh_runtime.testing import MemoryAws
from issuer import AUDIENCE, an_issuer

pytestmark = pytest.mark.integration
ENVIRONMENT = "local"
REASON = "the dropped rows are replayed tonight"
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


async def test_in_mode_oidc_a_token_decides_from_the_command_line_and_a_name_does_not(approvals):
    run = ("transform_images", "run-oidc")
    with an_issuer() as issuer:
        approvals.start(DWH_AUTH_MODE="oidc", DWH_OIDC_ISSUER=issuer.url, DWH_OIDC_AUDIENCE=AUDIENCE)
        await approvals.red_run("run-oidc")
        token = issuer.token(approvals.running.clock.now())
        await approvals.running.until(lambda: _succeeds(approvals, token, "show", *run))

        name = await dwh_approvals(approvals, "", "approve", *run, "--reason", REASON, "--as", "ann")
        stale = issuer.token(approvals.running.clock.now(), exp=1)
        expired = await dwh_approvals(approvals, stale, "approve", *run, "--reason", REASON)
        approved = await dwh_approvals(approvals, token, "approve", *run, "--reason", REASON)

        assert [answer.returncode for answer in (name, expired, approved)] == [1, 1, 0]
        assert "sign in" in name.stderr
        assert "expired" in expired.stderr
        assert "is approved by ann@example.com" in approved.stdout
        assert (await approvals.claim("run-oidc"))["event"]["principal"] == f"oidc:{issuer.url}#subject-1"
        assert approvals.running.stop() == 0


async def dwh_approvals(approvals, token, *arguments):
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "dwh_cli", "approvals", *arguments],
        env={"DWH_ENVIRONMENT": ENVIRONMENT, "DWH_APPROVALS_URL": approvals.url, "DWH_TOKEN": token},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def _succeeds(approvals, token, *arguments):
    return (await dwh_approvals(approvals, token, *arguments)).returncode == 0


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


async def test_of_two_approvers_at_one_instant_exactly_one_wins_50_times(stores):
    replicas = [await a_replica(store) for store in stores]
    for race in range(50):
        run = event_from_body(
            a_job_event(
                environment="local",
                job_run_id=f"race-{race}",
                quality_status="RED",
                timestamp=format_time(SystemClock().now()),
            )
        )
        await stores[0].record([run])
        await replicas[race % 2].parts.consumer.on_event(run, None)
        approved, rejected = await asyncio.gather(
            replicas[0].decide(run.job_run_id, "ann", "APPROVED"),
            replicas[1].decide(run.job_run_id, "bob", "REJECTED"),
        )
        assert sorted([approved.status_code, rejected.status_code]) == [201, 409]
        won, lost = (approved, rejected) if approved.status_code == 201 else (rejected, approved)
        assert lost.json()["winner"]["event_id"] == won.json()["event_id"]
        accepted = await stores[0].events.get(
            approval_event_id("approval_accepted", "local", run.job_name, run.job_run_id, 1),
            SystemClock().now(),
            family="approval",
        )
        assert accepted.body["accepted_event_id"] == won.json()["event_id"]
        document = await stores[1].read_models.get("job-events", run.event_id)
        assert document["approval_status"] == won.json()["decision"]
        assert sorted(item["outcome"] for item in document["approvals"]) == ["accepted", "conflict"]
    published = [json.loads(sent.body)["job_run_id"] for one in replicas for sent in one.aws.topics.published]
    assert sorted(published) == sorted(f"race-{race}" for race in range(50))


@dataclass
class Replica:
    """Parts of the service over the real node, called without a socket."""

    parts: Parts
    aws: MemoryAws

    async def decide(self, run_id, user, decision):
        transport = httpx.ASGITransport(self.parts.app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8080", headers={"X-Local-User": user}
        ) as http:
            return await http.post(
                f"/api/v1/approvals/transform_images/{run_id}/decisions",
                json={"decision": decision, "reason": "seen and decided"},
            )


async def a_replica(store):
    aws = MemoryAws()
    aws.objects.stored["s3://code/config.json"] = b'{"version": "2.0", "workflows": {}}'
    settings = Settings.model_validate(
        {
            "environment": "local",
            "queue_url": "memory://queues/approvals",
            "http_port": 8080,
            "opensearch_url": "http://127.0.0.1:9201",
            "job_approvals_topic_arn": "arn",
            "workflow_config_uri": "s3://code/config.json",
            "csrf_keys": "c" * 32,
            "auth_mode": "local",
        }
    )
    parts = compose(settings, store=store, aws=aws, clock=SystemClock())
    await parts.configs.refresh()
    return Replica(parts, aws)


async def _later(found):
    return found


async def _answers(approvals):
    answer = await approvals.get("/livez")
    return answer is not None and answer.status_code == 200


async def _done(approvals, run_id):
    return (await approvals.claim(run_id))["state"] == "done"
