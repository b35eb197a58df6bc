"""Composition root: the only file that builds clients."""

from dwh_contracts.clock import Clock, SystemClock
from dwh_eventstore import Store, StoreSettings, StoreUnavailable, open_store
from dwh_runtime.aws import Aws, AwsClients, AwsUnavailable
from dwh_runtime.broker import make_broker
from dwh_runtime.config_source import WORKFLOW_CONFIG, workflow_config
from dwh_runtime.depths import QueueDepths
from dwh_runtime.effects import LEASE_SECONDS, EffectExecutor
from dwh_runtime.intake import open_intake
from dwh_runtime.service import Service, instance_name
from dwh_runtime.stored import StoredRuns
from dwh_runtime.tracing import open_tracing

from dwh_orchestrator.consume import Consumer, Deps, subscribe
from dwh_orchestrator.effects import Effects
from dwh_orchestrator.settings import SERVICE, Settings
from dwh_orchestrator.triggers import sqs_mwaa


async def build(
    settings: Settings,
    *,
    store: Store | None = None,
    aws: Aws | None = None,
    clock: Clock | None = None,
    lease_seconds: float = LEASE_SECONDS,
) -> Service:
    """The whole service; the keywords replace ports, so that a test can die inside one."""
    clock = clock or SystemClock()
    store = store or await open_store(StoreSettings(**settings.store_options(), service=SERVICE))
    tracing = open_tracing(settings, SERVICE)
    clients = AwsClients(settings.aws_region, tracing.context)
    aws = aws or await clients.__aenter__()
    configs = workflow_config(
        settings.workflow_config_uri,
        objects=aws.objects,
        copies=store.effects,
        record=store.record,
        environment=settings.environment,
        service=SERVICE,
        clock=clock,
    )
    broker = make_broker(settings, middlewares=tracing.middlewares)
    ready = {"store": store.ready, WORKFLOW_CONFIG: configs.ready}
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
    owner = instance_name(SERVICE)
    executor = EffectExecutor(
        store.claims,
        store.record,
        owner,
        clock,
        service=SERVICE,
        kinds=["trigger"],
        lease_seconds=lease_seconds,
    )
    senders = {"sqs_mwaa": sqs_mwaa(aws.queues, settings.mwaa_triggers_queue_url)}
    effects = Effects(store, executor, senders, clock)
    consumer = Consumer(store.decisions, StoredRuns(store.events, clock), configs, effects)
    subscribe(broker, Deps(settings, intake, consumer))
    depths = QueueDepths(aws.queues, settings, SERVICE, clock, fed=[settings.mwaa_triggers_queue_url])
    return Service(
        settings,
        broker,
        name=SERVICE,
        ready=ready,
        background=[*intake.background, depths.run, configs.run],
        close=[store.close, tracing.close, clients.close],
    )
