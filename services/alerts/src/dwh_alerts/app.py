"""Composition root: the only file that builds clients."""

from dwh_contracts.clock import Clock, SystemClock
from dwh_eventstore import Store, StoreSettings, StoreUnavailable, open_store
from dwh_runtime.aws import Aws, AwsClients, AwsUnavailable, Topics
from dwh_runtime.broker import make_broker
from dwh_runtime.depths import QueueDepths
from dwh_runtime.effects import LEASE_SECONDS, EffectExecutor
from dwh_runtime.intake import open_intake
from dwh_runtime.leases import LeasedTimer
from dwh_runtime.links import LinkSigner, parse_keys
from dwh_runtime.service import Service, instance_name
from dwh_runtime.stored import StoredRuns
from dwh_runtime.tracing import open_tracing

from dwh_alerts.consume import Consumer, Deps, subscribe
from dwh_alerts.effects import Heads, OpenIncidents, Outbox, Record
from dwh_alerts.routes import Routes
from dwh_alerts.settings import SERVICE, Settings
from dwh_alerts.sinks import DecideLinks, Deliveries, Sink, SnsSink


async def build(
    settings: Settings,
    *,
    store: Store | None = None,
    aws: Aws | None = None,
    record: Record | None = None,
    clock: Clock | None = None,
    lease_seconds: float = LEASE_SECONDS,
) -> Service:
    """The whole service; the keywords replace ports, so that a test can die inside one."""
    clock = clock or SystemClock()
    store = store or await open_store(StoreSettings(**settings.store_options(), service=SERVICE))
    tracing = open_tracing(settings, SERVICE)
    clients = AwsClients(settings.aws_region, tracing.context)
    aws = aws or await clients.__aenter__()
    owner = instance_name(SERVICE)
    broker = make_broker(settings, middlewares=tracing.middlewares)
    ready = {"store": store.ready}
    intake = open_intake(
        settings,
        SERVICE,
        broker,
        quarantine=store.quarantine.put,
        checks=ready,
        unavailable=(StoreUnavailable, AwsUnavailable),
        pressed=lambda: store.backend.pressed,
        clock=clock,
        objects=aws.objects,
        record=store.record,
    )
    executor = EffectExecutor(
        store.claims,
        store.record,
        owner,
        clock,
        service=SERVICE,
        kinds=["notify"],
        lease_seconds=lease_seconds,
    )
    deliveries = Deliveries(executor, _sinks(settings, aws.topics), _links(settings, clock), clock)
    routes = Routes(console_url=settings.console_url)
    heads = Heads(store.effects, store.events, routes, clock, environment=settings.environment)
    outbox = Outbox(heads, record or store.record, deliveries, clock)
    counted = OpenIncidents(store.read_models, clock, environment=settings.environment)

    async def tick() -> None:
        await outbox.finish()
        await counted.show()

    def lost() -> None:
        outbox.hide()
        counted.hide()

    lease = f"alerts-timer|{settings.environment}"
    timer = LeasedTimer(lease, store.leases, owner, clock, tick, lost=lost)
    consumer = Consumer(store.decisions, heads, outbox, StoredRuns(store.events, clock))
    subscribe(broker, Deps(settings, intake, consumer))
    depths = QueueDepths(aws.queues, settings, SERVICE, clock)
    return Service(
        settings,
        broker,
        name=SERVICE,
        ready=ready,
        background=[*intake.background, depths.run, timer.run],
        close=[store.close, tracing.close, clients.close],
    )


def _sinks(settings: Settings, topics: Topics) -> dict[str, Sink]:
    return {
        "sns-warning": SnsSink(topics, settings.alerts_warning_topic_arn),
        "sns-critical": SnsSink(topics, settings.alerts_critical_topic_arn),
    }


def _links(settings: Settings, clock: Clock) -> DecideLinks:
    keys = settings.link_keys
    signer = LinkSigner(parse_keys(keys.get_secret_value()), clock) if keys else None
    return DecideLinks(signer, settings.console_url)
