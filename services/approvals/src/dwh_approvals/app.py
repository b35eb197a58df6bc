"""Composition root: the only file that builds clients."""

from dataclasses import dataclass

import httpx
from dwh_contracts.clock import Clock, SystemClock
from dwh_contracts.workflow import WorkflowConfig
from dwh_eventstore import Store, StoreSettings, StoreUnavailable, open_store
from dwh_runtime.aws import Aws, AwsClients, AwsUnavailable
from dwh_runtime.broker import make_broker
from dwh_runtime.config_source import WORKFLOW_CONFIG, ConfigSource, workflow_config
from dwh_runtime.depths import QueueDepths
from dwh_runtime.intake import open_intake
from dwh_runtime.leases import LeasedTimer
from dwh_runtime.links import parse_keys
from dwh_runtime.service import Service, instance_name
from dwh_runtime.tracing import open_tracing

from dwh_approvals.consume import Consumer, Deps, subscribe
from dwh_approvals.deciding import Decisions
from dwh_approvals.desk import Desk
from dwh_approvals.effects import Ledger
from dwh_approvals.expiry import Expiry
from dwh_approvals.foreign import Foreign
from dwh_approvals.guard import Guard
from dwh_approvals.http import make_app
from dwh_approvals.identity import Identity, LocalIdentity, Recognition
from dwh_approvals.issuer import IssuerKeys
from dwh_approvals.oidc import OidcIdentity
from dwh_approvals.opening import Openings, policy_of
from dwh_approvals.settings import SERVICE, Settings
from dwh_approvals.signing import CsrfTokens, Cursors
from dwh_approvals.web import Console


@dataclass(frozen=True, slots=True)
class Parts:
    """The service without queue, port and clients: everything that decides."""

    configs: ConfigSource[WorkflowConfig]
    consumer: Consumer
    ledger: Ledger
    expiry: Expiry
    app: Guard
    identity: Identity


def compose(settings: Settings, *, store: Store, aws: Aws, clock: Clock) -> Parts:
    """Put the parts together over these ports."""
    identity = _identity(settings, clock)
    configs = workflow_config(
        settings.workflow_config_uri,
        objects=aws.objects,
        copies=store.effects,
        record=store.record,
        environment=settings.environment,
        service=SERVICE,
        clock=clock,
    )
    ledger = Ledger(store, aws.topics, settings.job_approvals_topic_arn, clock)
    decisions = Decisions(store, ledger, configs, clock, unverified_allowed=settings.is_local)
    foreign = Foreign(store, ledger, decisions)
    openings = Openings(store, ledger, configs, foreign.judge_early, clock)
    return Parts(
        configs,
        Consumer(openings.on_run, foreign.on_message),
        ledger,
        Expiry(store, ledger, clock),
        _application(settings, store, Desk(store, openings, decisions), configs, identity, clock),
        identity,
    )


async def build(
    settings: Settings, *, store: Store | None = None, aws: Aws | None = None, clock: Clock | None = None
) -> Service:
    """The whole service; the keywords replace ports, so that a test can die inside one."""
    clock = clock or SystemClock()
    store = store or await open_store(StoreSettings(**settings.store_options(), service=SERVICE))
    tracing = open_tracing(settings, SERVICE)
    clients = AwsClients(settings.aws_region, tracing.context)
    aws = aws or await clients.__aenter__()
    parts = compose(settings, store=store, aws=aws, clock=clock)
    broker = make_broker(settings, middlewares=tracing.middlewares)
    ready = {"store": store.ready, WORKFLOW_CONFIG: parts.configs.ready}
    intake = open_intake(
        settings,
        SERVICE,
        broker,
        quarantine=store.quarantine.put,
        checks=ready,
        unavailable=(StoreUnavailable, AwsUnavailable),
        pressed=lambda: store.backend.pressed,
        clock=clock,
        record=store.record,
        objects=aws.objects,
    )
    subscribe(broker, Deps(settings, intake, parts.consumer))
    lease = f"approvals-timer|{settings.environment}"
    owner, expiry = instance_name(SERVICE), parts.expiry
    timer = LeasedTimer(lease, store.leases, owner, clock, expiry.tick, lost=expiry.hide)
    depths = QueueDepths(aws.queues, settings, SERVICE, clock)
    return Service(
        settings,
        broker,
        name=SERVICE,
        ready=ready,
        background=[*intake.background, depths.run, parts.configs.run, timer.run, parts.ledger.run],
        app=parts.app,
        close=[store.close, tracing.close, clients.close, parts.identity.close],
    )


def _identity(settings: Settings, clock: Clock) -> Identity:
    if settings.auth_mode == "local":
        return LocalIdentity()
    issuer, audience = str(settings.oidc_issuer), str(settings.oidc_audience)  # both there: see the settings
    keys = IssuerKeys(issuer, httpx.AsyncClient(), clock)
    return OidcIdentity(
        issuer,
        audience,
        keys,
        clock,
        groups_claim=settings.oidc_groups_claim,
        token_header=settings.oidc_token_header,
    )


def _application(
    settings: Settings,
    store: Store,
    desk: Desk,
    configs: ConfigSource[WorkflowConfig],
    identity: Identity,
    clock: Clock,
) -> Guard:
    keys = parse_keys(settings.csrf_keys.get_secret_value())
    console = Console(
        store=store,
        desk=desk,
        chooses_user=identity.chooses_user,
        tokens=CsrfTokens(keys, clock),
        policy_of=lambda job_name: policy_of(configs.current().config, job_name),
        clock=clock,
    )
    urls = [url for url in (settings.console_url, settings.approvals_url) if url]
    app = Recognition(make_app(console, Cursors(keys, clock), identity.schemes), identity)
    return Guard(app, urls=urls, is_local=settings.is_local, clock=clock)
