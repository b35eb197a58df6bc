import pytest
from dwh_local.running import Inbox, running_service

TOPICS = ("quality-alerts-warning", "quality-alerts-critical")


class Alerts:
    """The service as a process, with what comes out of its two topics."""

    def __init__(self, running):
        self.running = running
        self.inbox = Inbox(running.names, "inbox", TOPICS)

    async def run(self, quality_status, job_run_id, **over):
        """A run that ended so: stored, then published."""
        body = self.running.a_run(quality_status=quality_status, job_run_id=job_run_id, **over)
        return await self.running.emit_stored(body)

    async def messages(self, count, seconds=40):
        """The next `count` messages, and proof that none follows for a while."""
        clock = self.running.clock
        found, deadline = [], clock.monotonic() + seconds
        while len(found) < count and clock.monotonic() < deadline:
            found += self.inbox.received()
            await clock.sleep(0.05)
        await clock.sleep(1)
        return found + self.inbox.received()

    async def incidents(self):
        store = self.running.store
        await store.refresh()
        page = await store.read_models.search("job-alerts", {"environment": self.running.environment})
        return page.items

    async def pending(self):
        """Heads that hold what is yet to go out."""
        where = {"kind": "incident", "state": "pending", "environment": self.running.environment}
        return await self.running.store.effects.find(where)

    async def facts(self):
        return sorted((fact.event_type, fact.body["outcome"]) for fact in await self.running.facts())


@pytest.fixture
async def alerts(names, opensearch_node, aws_environment):
    warning, critical = map(names.topic_arn, TOPICS)
    async with running_service(
        "alerts",
        names,
        opensearch_node,
        aws_environment,
        DWH_ALERTS_WARNING_TOPIC_ARN=warning,
        DWH_ALERTS_CRITICAL_TOPIC_ARN=critical,
        DWH_CONSOLE_URL="http://127.0.0.1:8080",
        DWH_LINK_KEYS="k" * 32,
    ) as running:
        yield Alerts(running)
