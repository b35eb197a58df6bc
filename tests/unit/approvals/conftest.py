"""One replica of the service over memory, with its HTTP application and its topic handler."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest
from dwh_approvals.app import compose
from dwh_approvals.consume import Consumer
from dwh_approvals.expiry import Expiry
from dwh_approvals.settings import Settings
from dwh_contracts.clock import ManualClock
from dwh_contracts.parse import event_from_body
from dwh_contracts.testing import a_job_event, an_approval_decision
from dwh_eventstore import MemoryBackend, memory_store
from dwh_runtime.intake import Origin
from dwh_runtime.testing import MemoryAws

NOW = datetime(2026, 11, 23, 8, 2, tzinfo=UTC)
TOPIC = "arn:aws:sns:us-east-1:000000000000:dwh-local-job-approvals"
CONFIG_URI = "s3://dwh-local-code/orchestration/workflow_config.json"
PATH = "/api/v1/approvals/transform_images/run-1"
REASON = "the dropped rows are replayed tonight"
NOWHERE = Origin(None, None, None)


def config(**approval):
    return json.dumps({"version": "2.0", "workflows": {"transform_images": {"approval": approval}}}).encode()


@dataclass
class Line:
    """What a test holds of one replica."""

    store: object
    aws: MemoryAws
    clock: ManualClock
    consumer: Consumer
    expiry: Expiry
    ledger: object
    app: object
    backend: MemoryBackend
    close: object

    async def replica(self, **approval):
        """Another one over the same store, topic and clock."""
        return await make_line(self.backend, self.aws, self.clock, **approval)

    def client(self, user=None, **headers):
        if user is not None:
            headers["X-Local-User"] = user
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="http://127.0.0.1:8080",
            headers=headers,
        )

    async def get(self, path, user="ann", **headers):
        async with self.client(user, **headers) as client:
            return await client.get(path)

    async def decide(self, user, decision="APPROVED", path=PATH, headers=None, **body):
        async with self.client(user, **(headers or {})) as client:
            wish = {"decision": decision, "reason": REASON, **body}
            return await client.post(f"{path}/decisions", json=wish)

    async def indexed(self, **over):
        """What the indexer does: the run is in the store before its message comes here."""
        event = event_from_body(a_job_event(**{"environment": self.store.environment, **over}))
        await self.store.record([event])
        return event

    async def run(self, **over):
        event = await self.indexed(**{"quality_status": "RED", **over})
        await self.on(event)
        return event

    async def on(self, event):
        await self.consumer.on_event(event, NOWHERE)

    async def message(self, decision="APPROVED", by="tom", **over):
        """A stranger's decision on the topic."""
        over = {"environment": "local", "decision": decision, "decided_by": by, **over}
        event = event_from_body(an_approval_decision(**over))
        await self.on(event)
        return event

    @property
    def published(self):
        return [json.loads(sent.body) for sent in self.aws.topics.published]

    async def facts(self, event_type=None):
        where = {"event_type": event_type} if event_type else {}
        return await self.store.events.find("approval", where)

    async def document(self, path=PATH):
        return (await self.get(path.replace("approvals", "runs"))).json()

    async def outcomes(self):
        page = await self.store.read_models.search("job-approvals", {}, limit=200)
        return sorted((item["decided_by"], item["decision"], item["outcome"]) for item in page.items)


def settings(**over):
    return Settings.model_validate(
        {
            "environment": "local",
            "queue_url": "memory://queues/approvals",
            "http_port": 8080,
            "opensearch_url": "http://127.0.0.1:9201",
            "job_approvals_topic_arn": TOPIC,
            "workflow_config_uri": CONFIG_URI,
            "csrf_keys": "c" * 32,
            "auth_mode": "local",
            "console_url": "http://127.0.0.1:8080",
            **over,
        }
    )


async def make_line(backend=None, aws=None, clock=None, mode=None, **approval):
    clock = clock or ManualClock(NOW)
    aws, backend = aws or MemoryAws(), backend or MemoryBackend()
    aws.objects.stored[CONFIG_URI] = config(**approval)
    store = memory_store(
        (mode or {}).get("environment", "local"), clock, service="approvals", backend=backend
    )
    parts = compose(settings(**(mode or {})), store=store, aws=aws, clock=clock)
    await parts.configs.refresh()
    return Line(
        store,
        aws,
        clock,
        parts.consumer,
        parts.expiry,
        parts.ledger,
        parts.app,
        backend,
        parts.identity.close,
    )


@pytest.fixture
async def line():
    return await make_line()


@pytest.fixture
def a_line():
    """Makes replicas: over one backend they are replicas of one service."""
    return make_line
