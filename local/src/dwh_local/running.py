"""A service as a process of its own, with its queue, topics and store seen from outside; for tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from dwh_contracts.attributes import attributes_of, subject_of
from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import SystemClock
from dwh_contracts.parse import Event, event_from_body
from dwh_contracts.testing import a_job_event, an_approval_decision
from dwh_contracts.times import format_time
from dwh_eventstore import Store, StoreSettings, bootstrap, open_store
from dwh_runtime.aws import AwsClients

from dwh_local import topology
from dwh_local.aws import client
from dwh_local.opensearch import Node
from dwh_local.testing import service_port
from dwh_local.topology import Names

T = TypeVar("T")

VISIBILITY_SECONDS = 3
DRAIN_SECONDS = 5


class Inbox:
    """A queue that a test reads: one of the system's, or one of its own behind topics."""

    def __init__(self, names: Names, queue: str, topics: Sequence[str] = ()) -> None:
        self._sqs = client("sqs", names.endpoint_url)
        self._url = topology.ensure_queue(self._sqs, names.name(queue), {})
        sns = client("sns", names.endpoint_url)
        for topic in topics:
            topology.subscribe(sns, names.topic_arn(topic), names.queue_arn(queue), {})

    def received(self, wait_seconds: int = 0) -> list[JsonObject]:
        """What has come since the last look, waiting for the first that long."""
        answer = self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds
        )
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    async def look(self) -> list[JsonObject]:
        """`received`, for `RunningService.until`."""
        return self.received()


class RunningService:
    """One service over the real node and the AWS stand-in, started, stopped and killed by a test."""

    def __init__(
        self, service: str, names: Names, store: Store, aws: AwsClients, variables: Mapping[str, str]
    ) -> None:
        self.service = service
        self.names = names
        self.environment = names.environment
        self.store = store
        self.aws = aws
        self.clock = SystemClock()
        self.process: subprocess.Popen[bytes] | None = None
        self._variables = dict(variables)

    @property
    def url(self) -> str:
        """Where it answers HTTP."""
        return f"http://127.0.0.1:{self._variables['DWH_HTTP_PORT']}"

    def start(self, program: Path | None = None, **variables: str) -> None:
        """Start the service, or a program that builds it with a port that dies."""
        command = [str(program)] if program else ["-m", f"dwh_{self.service}"]
        self.process = subprocess.Popen([sys.executable, *command], env=self._variables | variables)

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        self._started().terminate()
        return self._started().wait(timeout=DRAIN_SECONDS + 15)

    def died(self, seconds: float = 60) -> int:
        """Wait until it has ended by itself; its exit code."""
        return self._started().wait(timeout=seconds)

    def _started(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise RuntimeError(f"{self.service} was not started")
        return self.process

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def a_run(self, **over: Any) -> JsonObject:
        """A job event of this environment, now; the run id is this test's unless given."""
        run: dict[str, Any] = {
            "job_run_id": f"run-{self.environment}",
            "timestamp": format_time(self.clock.now()),
        }
        return a_job_event(environment=self.environment, **(run | over))

    async def emit(self, body: JsonObject | bytes, topic: str = "job-events") -> None:
        """Publish an event with its attributes, or any bytes."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        attributes = {"event_type": "job_completed"} if isinstance(body, bytes) else attributes_of(body)
        subject = None if isinstance(body, bytes) else subject_of(body)
        await self.aws.topics.publish(self.names.topic_arn(topic), raw, attributes, subject)

    async def emit_stored(self, body: JsonObject) -> JsonObject:
        """A run as it comes when the indexer is a step ahead: in the store, then as a message."""
        await self.store.record([event_from_body(body)])
        await self.emit(body)
        return body

    async def facts(self) -> list[Event]:
        """What the services have recorded in this environment."""
        await self.store.refresh()
        return await self.store.events.find("effect", {"environment": self.environment})

    async def decide(self, run: JsonObject, **over: Any) -> JsonObject:
        """What approvals does, in its order: the claim, then the message; the winning event."""
        keys = {name: run[name] for name in ("environment", "job_name", "job_run_id", "attempt")}
        body = an_approval_decision(**(keys | {"timestamp": format_time(self.clock.now())} | over))
        claim: JsonObject = {
            "kind": "decision",
            "state": "done",
            "created_at": format_time(self.clock.now()),
            "event": body,
            "source_event_id": run["event_id"],
            "source_timestamp": run["timestamp"],
            "artifacts_manifest_sha256": body.get("artifacts_manifest_sha256"),
        }
        if not await self.store.decisions.create("|".join(["decision", *map(str, keys.values())]), claim):
            raise RuntimeError(f"{keys} is decided already")
        await self.emit(body, "job-approvals")
        return body

    async def until(self, look: Callable[[], Awaitable[T]], seconds: float = 40) -> T:
        """What `look` answers, as soon as it is something.

        Raises:
            AssertionError: nothing within `seconds`.
        """
        deadline = self.clock.monotonic() + seconds
        while self.clock.monotonic() < deadline:
            if found := await look():
                return found
            await self.clock.sleep(0.1)
        raise AssertionError(f"nothing within {seconds} s")

    async def empty(self) -> bool:
        """Whether the service's queue holds nothing, in flight included."""
        depth = await self.aws.queues.depth(self.names.queue_url(self.service))
        return depth["visible"] + depth["in_flight"] == 0


@asynccontextmanager
async def running_service(
    service: str, names: Names, node: Node, aws_environment: Mapping[str, str], **settings: str
) -> AsyncIterator[RunningService]:
    """A service of this test's environment, not yet started; killed at the end if it still runs."""
    store_settings = StoreSettings(url=node.url, environment=names.environment, service="test")
    await bootstrap(store_settings)
    store = await open_store(store_settings)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DWH_", "AWS_"))}
    variables = {
        **inherited,
        **aws_environment,
        "DWH_ENVIRONMENT": names.environment,
        "DWH_QUEUE_URL": names.queue_url(service),
        "DWH_OPENSEARCH_URL": node.url,
        "DWH_HTTP_PORT": str(service_port()),
        "DWH_HANDLER_SECONDS": str(VISIBILITY_SECONDS),
        "DWH_VISIBILITY_SECONDS": str(VISIBILITY_SECONDS),
        "DWH_DRAIN_SECONDS": str(DRAIN_SECONDS),
        **settings,
    }
    async with AwsClients("us-east-1") as aws:
        running = RunningService(service, names, store, aws, variables)
        try:
            yield running
        finally:
            running.kill()
            await store.close()
