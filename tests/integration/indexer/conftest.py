import json
import os
import subprocess
import sys

import pytest
from dwh_contracts.clock import SystemClock
from dwh_contracts.testing import a_job_event
from dwh_contracts.times import format_time
from dwh_eventstore import StoreSettings, bootstrap, open_store
from dwh_local.testing import free_port
from dwh_runtime.aws import AwsClients

VISIBILITY_SECONDS = 3


class Indexer:
    """The indexer as processes, its queue and its store seen from outside."""

    def __init__(self, environment, names, node, aws_environment, aws, store):
        self.names, self.aws, self.store = names, aws, store
        self.environment = environment
        self.process = None
        self.port = free_port(16_000, 16_999)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DWH_", "AWS_"))}
        self.variables = {
            **kept,
            **aws_environment,
            "DWH_ENVIRONMENT": environment,
            "DWH_QUEUE_URL": names.queue_url("indexer"),
            "DWH_OPENSEARCH_URL": node.url,
            "DWH_HTTP_PORT": str(self.port),
            "DWH_HANDLER_SECONDS": str(VISIBILITY_SECONDS),
            "DWH_VISIBILITY_SECONDS": str(VISIBILITY_SECONDS),
            "DWH_DRAIN_SECONDS": "5",
        }

    def start(self, program=None):
        command = [str(program)] if program else ["-m", "dwh_indexer"]
        self.process = subprocess.Popen([sys.executable, *command], env=self.variables)

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=20)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def an_event(self, **over):
        return a_job_event(environment=self.environment, timestamp=format_time(SystemClock().now()), **over)

    async def publish(self, body):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self.aws.topics.publish(self.names.topic_arn("job-events"), raw, {"event_type": "x"})

    async def until(self, look, seconds=30):
        """What `look` answers, as soon as it is something."""
        clock = SystemClock()
        deadline = clock.monotonic() + seconds
        while clock.monotonic() < deadline:
            found = await look()
            if found:
                return found
            await clock.sleep(0.1)
        raise AssertionError(f"nothing within {seconds} s")

    async def empty(self):
        depth = await self.aws.queues.depth(self.names.queue_url("indexer"))
        return depth["visible"] + depth["in_flight"] == 0


@pytest.fixture
async def indexer(environment, names, opensearch_node, aws_environment):
    settings = StoreSettings(url=opensearch_node.url, environment=environment, service="test")
    await bootstrap(settings)
    store = await open_store(settings)
    async with AwsClients("us-east-1") as aws:
        running = Indexer(environment, names, opensearch_node, aws_environment, aws, store)
        yield running
        running.kill()
    await store.close()
