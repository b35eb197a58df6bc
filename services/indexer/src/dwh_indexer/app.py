"""Composition root: the only file that builds clients."""

from collections.abc import Awaitable, Callable

from dwh_contracts.clock import Clock, SystemClock
from dwh_eventstore import Store, StoreSettings, StoreUnavailable, open_store
from dwh_eventstore.audit import Sealer, digest_key
from dwh_eventstore.replay import Sweep
from dwh_runtime.audit_copies import AuditCopies
from dwh_runtime.aws import Aws, AwsClients, AwsUnavailable, Keys
from dwh_runtime.broker import make_broker
from dwh_runtime.depths import QueueDepths
from dwh_runtime.intake import open_intake
from dwh_runtime.leases import LeasedTimer
from dwh_runtime.service import Service, instance_name
from dwh_runtime.tracing import open_tracing

from dwh_indexer.consume import Deps, subscribe
from dwh_indexer.effects import Folds, Indexing, Repair
from dwh_indexer.seal import LEASE, LEASE_SECONDS, LOOK_SECONDS, hourly
from dwh_indexer.settings import SERVICE, Settings

SWEEP_SECONDS = 30.0
SWEEP_LEASE_SECONDS = 120.0
"""Longer than a turn takes: its holder must not lose the lease in the middle."""


async def build(
    settings: Settings,
    *,
    store: Store | None = None,
    aws: Aws | None = None,
    read_models: Folds | None = None,
    clock: Clock | None = None,
) -> Service:
    """The whole service; the keywords replace ports, so that a test can die inside one."""
    clock = clock or SystemClock()
    store = store or await open_store(StoreSettings(**settings.store_options(), service=SERVICE))
    tracing = open_tracing(settings, SERVICE)
    clients = AwsClients(settings.aws_region, tracing.context)
    aws = aws or await clients.__aenter__()
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
    indexing = Indexing(store.events, read_models or store.read_models, clock)
    repair = Repair(Sweep(store.backend, store.read_models, clock))
    sweep = LeasedTimer(
        f"sweep|{settings.environment}",
        store.leases,
        instance_name(SERVICE),
        clock,
        repair.tick,
        interval=SWEEP_SECONDS,
        ttl=SWEEP_LEASE_SECONDS,
    )
    subscribe(broker, Deps(settings, intake, indexing.index))
    depths = QueueDepths(aws.queues, settings, SERVICE, clock)
    sealing = _sealing(settings, store, aws, clients.keys, clock)
    return Service(
        settings,
        broker,
        name=SERVICE,
        ready=ready,
        background=[*intake.background, depths.run, sweep.run, *sealing],
        close=[store.close, tracing.close, clients.close],
    )


def _sealing(
    settings: Settings, store: Store, aws: Aws, keys: Keys, clock: Clock
) -> list[Callable[[], Awaitable[None]]]:
    """The hourly seal, where there is a key."""
    if settings.audit_key is None:
        return []
    copies = AuditCopies(aws.objects, settings.audit_uri) if settings.audit_uri else None
    key = digest_key(settings.audit_key.get_secret_value(), keys)
    sealer = Sealer(store.backend, key, clock, copies)
    timer = LeasedTimer(
        LEASE,
        store.leases,
        instance_name(SERVICE),
        clock,
        hourly(sealer, clock),
        interval=LOOK_SECONDS,
        ttl=LEASE_SECONDS,
    )
    return [timer.run]
