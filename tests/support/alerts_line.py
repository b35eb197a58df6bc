"""One replica of the alerts service over shared memory, and the events it is given."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from dwh_alerts.consume import Consumer
from dwh_alerts.effects import Heads, Outbox
from dwh_alerts.routes import Routes
from dwh_alerts.sinks import DecideLinks, Deliveries, SnsSink
from dwh_contracts.alerts import AlertMessage
from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.parse import Event, event_from_body
from dwh_contracts.testing import a_job_event, an_approval_decision
from dwh_contracts.times import format_time
from dwh_eventstore import MemoryBackend, Store, memory_store
from dwh_runtime.effects import EffectExecutor
from dwh_runtime.intake import Origin
from dwh_runtime.links import LinkSigner
from dwh_runtime.stored import StoredRuns
from dwh_runtime.testing import MemoryAws

NOW = datetime(2026, 11, 23, 8, 2, tzinfo=UTC)
NOWHERE = Origin(None, None, None)
CONSOLE = "https://console.example.com"


@dataclass
class Line:
    """One replica of the service over shared memory."""

    store: Store
    aws: MemoryAws
    clock: Clock
    heads: Heads
    outbox: Outbox
    consumer: Consumer
    signer: LinkSigner

    async def on(self, event: Event) -> None:
        """As the message comes, after the indexer stored it."""
        await self.store.events.append([event])
        await self.consumer.on_event(event, NOWHERE)

    @property
    def messages(self) -> list[tuple[str, AlertMessage]]:
        return [
            (sent.topic_arn, AlertMessage.model_validate_json(json.loads(sent.body)["default"]))
            for sent in self.aws.topics.published
        ]

    @property
    def told(self) -> list[tuple[str, str, bool]]:
        return [(topic, message.transition, message.possible_duplicate) for topic, message in self.messages]

    async def facts(self) -> list[tuple[str, str]]:
        found = await self.store.events.find("effect", {"service": "alerts"})
        return sorted((fact.event_type, str(fact.body["outcome"])) for fact in found)

    async def incident(self) -> JsonObject:
        page = await self.store.read_models.search("job-alerts", {"family": "quality"})
        [incident] = page.items
        return incident


def a_line(backend: MemoryBackend, aws: MemoryAws, clock: Clock, owner: str = "one") -> Line:
    store = memory_store("dev", clock, service="alerts", backend=backend)
    signer = LinkSigner(["k" * 32], clock)
    executor = EffectExecutor(store.claims, store.record, owner, clock, service="alerts", kinds=["notify"])
    sinks = {f"sns-{name}": SnsSink(aws.topics, name) for name in ("warning", "critical")}
    deliveries = Deliveries(executor, sinks, DecideLinks(signer, CONSOLE), clock)
    heads = Heads(store.effects, store.events, Routes(console_url=CONSOLE), clock, environment="dev")
    outbox = Outbox(heads, store.record, deliveries, clock)
    consumer = Consumer(store.decisions, heads, outbox, StoredRuns(store.events, clock))
    return Line(store, aws, clock, heads, outbox, consumer, signer)


def finished(kind: str, run_id: str = "run-1", *, at: datetime = NOW) -> Event:
    body = a_job_event(
        environment="dev",
        job_name="transform_images",
        job_run_id=run_id,
        timestamp=format_time(at),
        **({"status": "FAILED"} if kind == "FAILED" else {"quality_status": kind}),
    )
    return event_from_body(body)


def decided(decision: str = "APPROVED", run_id: str = "run-1", *, by: str = "approver@example.com") -> Event:
    body = an_approval_decision(
        environment="dev",
        job_name="transform_images",
        job_run_id=run_id,
        decision=decision,
        decided_by=by,
        timestamp=format_time(NOW),
    )
    return event_from_body(body)


async def accept(store: Store, event: Event) -> None:
    key = f"decision|dev|{event.job_name}|{event.job_run_id}|{event.attempt}"
    assert await store.decisions.create(key, {"kind": "decision", "event": event.body})
