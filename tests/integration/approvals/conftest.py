import json

import httpx
import pytest
from dwh_eventstore import StoreSettings, bootstrap, open_store
from dwh_local import topology
from dwh_local.running import Inbox, running_service

ENVIRONMENT = "local"  # the only one in which a name is identity enough
REASON = "the dropped rows are replayed tonight"


class Approvals:
    """The service as a process, with its HTTP API and the topic it publishes to."""

    def __init__(self, running):
        self.running = running
        self.store = running.store
        self.inbox = Inbox(running.names, "approvals-inbox", ["job-approvals"])
        self.url = running.url

    def start(self, program=None, **variables):
        self.running.start(program, **variables)

    async def red_run(self, run_id):
        return await self.running.emit_stored(self.running.a_run(job_run_id=run_id, quality_status="RED"))

    async def get(self, path):
        async with httpx.AsyncClient(base_url=self.url, headers={"X-Local-User": "ann"}) as http:
            try:
                return await http.get(path)
            except httpx.TransportError:
                return None

    async def decide(self, run_id, user, decision="APPROVED"):
        async with httpx.AsyncClient(base_url=self.url, headers={"X-Local-User": user}, timeout=20) as http:
            return await http.post(
                f"/api/v1/approvals/transform_images/{run_id}/decisions",
                json={"decision": decision, "reason": REASON},
            )

    async def pending(self, run_id):
        async def look():
            answer = await self.get(f"/api/v1/approvals/transform_images/{run_id}")
            return answer is not None and answer.status_code == 200 and answer.json()

        return await self.running.until(look)

    def messages(self, run_id):
        """What has come out of the topic for this run since the last look."""
        return [body for body in self.inbox.received() if body["job_run_id"] == run_id]

    async def claim(self, run_id):
        found = await self.store.decisions.get(f"decision|{ENVIRONMENT}|transform_images|{run_id}|1")
        return found and found.body


@pytest.fixture
async def approvals(gateway, opensearch_node, aws_environment, tmp_path):
    config = tmp_path / "workflow_config.json"
    config.write_text(json.dumps({"version": "2.0", "workflows": {"transform_images": {}}}), encoding="utf-8")
    names = topology.apply(gateway.endpoint_url, ENVIRONMENT)
    settings = {
        "DWH_JOB_APPROVALS_TOPIC_ARN": names.topic_arn("job-approvals"),
        "DWH_WORKFLOW_CONFIG_URI": config.as_uri(),
        "DWH_CSRF_KEYS": "c" * 32,
        "DWH_AUTH_MODE": "local",
    }
    async with running_service("approvals", names, opensearch_node, aws_environment, **settings) as running:
        yield Approvals(running)


@pytest.fixture
async def stores(opensearch_node):
    """Two stores over the real node: those of two replicas."""
    settings = StoreSettings(url=opensearch_node.url, environment=ENVIRONMENT, service="approvals")
    await bootstrap(settings)
    opened = [await open_store(settings) for _ in range(2)]
    yield opened
    for store in opened:
        await store.close()
