import json
import os
import subprocess
import sys

import pytest
from dwh_contracts.clock import SystemClock
from dwh_contracts.testing import a_job_event, an_approval_decision
from dwh_contracts.times import format_time
from dwh_eventstore import StoreSettings, bootstrap, open_store
from dwh_local import topology
from dwh_local.aws import client
from dwh_local.testing import free_port
from dwh_runtime.aws import AwsClients

VISIBILITY_SECONDS = 3


class Alerts:
    """The service as processes; queue, topics and store seen from outside."""

    def __init__(self, environment, names, node, aws_environment, aws, store):
        self.environment, self.names, self.aws, self.store = environment, names, aws, store
        self.process = None
        self.sqs = client("sqs", names.endpoint_url)
        self.inbox = topology.ensure_queue(self.sqs, names.name("inbox"), {})
        for topic in ("quality-alerts-warning", "quality-alerts-critical"):
            topology.subscribe(
                client("sns", names.endpoint_url), names.topic_arn(topic), names.queue_arn("inbox"), {}
            )
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DWH_", "AWS_"))}
        self.variables = {
            **kept,
            **aws_environment,
            "DWH_ENVIRONMENT": environment,
            "DWH_QUEUE_URL": names.queue_url("alerts"),
            "DWH_OPENSEARCH_URL": node.url,
            "DWH_HTTP_PORT": str(free_port(16_000, 16_999)),
            "DWH_ALERTS_WARNING_TOPIC_ARN": names.topic_arn("quality-alerts-warning"),
            "DWH_ALERTS_CRITICAL_TOPIC_ARN": names.topic_arn("quality-alerts-critical"),
            "DWH_CONSOLE_URL": "http://127.0.0.1:8080",
            "DWH_LINK_KEYS": "k" * 32,
            "DWH_HANDLER_SECONDS": str(VISIBILITY_SECONDS),
            "DWH_VISIBILITY_SECONDS": str(VISIBILITY_SECONDS),
            "DWH_DRAIN_SECONDS": "5",
        }

    def start(self, program=None, **variables):
        command = [str(program)] if program else ["-m", "dwh_alerts"]
        self.process = subprocess.Popen([sys.executable, *command], env=self.variables | variables)

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=20)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def a_run(self, quality_status, **over):
        now = format_time(SystemClock().now())
        return a_job_event(environment=self.environment, timestamp=now, quality_status=quality_status, **over)

    async def emit(self, body):
        attributes = {"status": body["status"], "quality_status": body["quality"]["status"]}
        await self.aws.topics.publish(
            self.names.topic_arn("job-events"), json.dumps(body).encode(), attributes
        )

    async def decide(self, **over):
        """What approvals does: the claim first, then the message."""
        now = format_time(SystemClock().now())
        body = an_approval_decision(environment=self.environment, timestamp=now, **over)
        key = f"decision|{self.environment}|{body['job_name']}|{body['job_run_id']}|{body['attempt']}"
        assert await self.store.decisions.create(key, {"kind": "decision", "event": body})
        await self.aws.topics.publish(
            self.names.topic_arn("job-approvals"),
            json.dumps(body).encode(),
            {"event_type": "approval_decision"},
        )

    def received(self, wait_seconds=0):
        """Messages that have come out of the two alert topics since the last look."""
        answer = self.sqs.receive_message(
            QueueUrl=self.inbox, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds
        )
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    async def messages(self, count, seconds=40):
        """The next `count` messages, and proof that none follows for a while."""
        clock = SystemClock()
        found, deadline = [], clock.monotonic() + seconds
        while len(found) < count and clock.monotonic() < deadline:
            found += self.received()
            await clock.sleep(0.05)
        await clock.sleep(1)
        return found + self.received()

    async def incidents(self):
        await self.store.refresh()
        return (await self.store.read_models.search("job-alerts", {"environment": self.environment})).items

    async def facts(self):
        await self.store.refresh()
        found = await self.store.events.find("effect", {"environment": self.environment})
        return sorted((fact.event_type, fact.body["outcome"]) for fact in found)


@pytest.fixture
async def alerts(environment, names, opensearch_node, aws_environment):
    settings = StoreSettings(url=opensearch_node.url, environment=environment, service="test")
    await bootstrap(settings)
    store = await open_store(settings)
    async with AwsClients("us-east-1") as aws:
        running = Alerts(environment, names, opensearch_node, aws_environment, aws, store)
        yield running
        running.kill()
    await store.close()
