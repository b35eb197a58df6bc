"""Each service, composed and scraped before anything happened: no failure may be the birth of a series."""

import importlib
import re
from datetime import UTC, datetime

import httpx
import pytest
from dwh_approvals.identity import UNKNOWN_BECAUSE
from dwh_contracts.clock import ManualClock
from dwh_contracts.quarantine import QuarantineReason
from dwh_eventstore import memory_store
from dwh_runtime import metrics
from dwh_runtime.testing import MemoryAws
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ARN = "arn:aws:sns:us-east-1:000000000000:dwh-local"
OWN = {
    "indexer": {},
    "alerts": {
        "alerts_warning_topic_arn": f"{ARN}-quality-alerts-warning",
        "alerts_critical_topic_arn": f"{ARN}-quality-alerts-critical",
    },
    "orchestrator": {
        "mwaa_triggers_queue_url": "http://127.0.0.1:8085/000000000000/dwh-local-mwaa-triggers",
        "workflow_config_uri": "s3://dwh-local-code/orchestration/workflow_config.json",
    },
    "approvals": {
        "job_approvals_topic_arn": f"{ARN}-job-approvals",
        "workflow_config_uri": "s3://dwh-local-code/orchestration/workflow_config.json",
        "csrf_keys": "c" * 32,
        "auth_mode": "local",
    },
}
EVERYWHERE = {
    ("dwh_settle_failures_total", ()),
    *(("dwh_quarantined_total", (reason.value,)) for reason in QuarantineReason),
}
DECISIONS = "/api/v1/approvals/{job_name}/{job_run_id}/decisions"
NEEDED = {
    "indexer": {
        *(
            ("dwh_store_append_total", (outcome,))
            for outcome in ("stored", "duplicate", "conflict", "rejected", "failed")
        ),
        ("dwh_sweep_repaired_total", ()),
    },
    "alerts": {("dwh_effects_total", ("notify", "failed"))},
    "orchestrator": {("dwh_effects_total", ("trigger", "failed"))},
    "approvals": {
        *(("dwh_auth_failures_total", (reason,)) for reason in UNKNOWN_BECAUSE),
        *(("dwh_http_requests_total", (DECISIONS, "POST", status)) for status in ("500", "503")),
    },
}
COUNTER = re.compile(r"dwh_[a-z_]+_total")


async def compose(service):
    """The service over memory, as its `app.build` makes it."""
    app = importlib.import_module(f"dwh_{service}.app")
    settings = importlib.import_module(f"dwh_{service}.settings").Settings.model_validate(
        {
            "environment": "local",
            "queue_url": f"http://127.0.0.1:8085/000000000000/dwh-local-{service}",
            "http_port": 0,
            "opensearch_url": "http://127.0.0.1:9201",
            **OWN[service],
        }
    )
    clock = ManualClock(NOW)
    store = memory_store("local", clock, service=service)
    return await app.build(settings, store=store, aws=MemoryAws(), clock=clock)


def client_of(service):
    return httpx.AsyncClient(transport=httpx.ASGITransport(service.http), base_url="http://127.0.0.1")


async def close(service):
    for one in reversed(service._close):
        await one()


async def scraped_at_start(name):
    service = await compose(name)
    found = await scraped(service)
    await close(service)
    return found


async def scraped(service):
    """What a service exports of itself: (sample, values of the labels behind `service`) → value."""
    async with client_of(service) as client:
        text = (await client.get("/metrics")).text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            if labels.pop("service", None) == service.name:
                spec = metrics.DECLARED.get(sample.name)
                names = spec.labels[1:] if spec else sorted(labels)
                found[sample.name, tuple(labels[name] for name in names)] = sample.value
    return found


@pytest.fixture
def fresh():
    """No series of earlier tests: only what composing makes."""
    for module in ("dwh_runtime.metrics", *(f"dwh_{service}.metrics" for service in OWN)):
        for metric in vars(importlib.import_module(module)).values():
            if isinstance(metric, Counter | Gauge | Histogram):
                metric.clear()


@pytest.mark.parametrize("service", OWN)
async def test_every_counter_of_a_rule_is_there_with_0_when_a_service_starts(service, fresh):
    found = await scraped_at_start(service)
    needed = EVERYWHERE | NEEDED[service]
    assert {series: found.get(series) for series in needed} == dict.fromkeys(needed, 0.0)
    assert found["dwh_end_to_end_seconds_count", ()] == 0


async def test_the_age_of_a_timer_that_never_ran_counts_from_the_start(fresh):
    found = await scraped_at_start("alerts")
    assert found["dwh_timer_last_run_timestamp_seconds", ()] == NOW.timestamp()


async def test_a_request_counts_under_a_route_that_is_there_with_0(fresh):
    service = await compose("approvals")
    before = {key[1][0] for key in await scraped(service) if key[0] == "dwh_http_requests_total"}
    async with client_of(service) as client:
        await client.get("/api/v1/approvals/transform_images/run-1")
    after = {key for key in await scraped(service) if key[0] == "dwh_http_requests_total"}
    await close(service)
    assert {route for _, (route, _, status) in after if status == "401"} <= before
    assert ("dwh_http_requests_total", ("/api/v1/approvals/{job_name}/{job_run_id}", "GET", "401")) in after


def test_the_counters_asked_for_here_are_those_of_the_rules(rules):
    asked = {name for name, _ in EVERYWHERE.union(*NEEDED.values())}
    assert set(COUNTER.findall(rules.expressions)) == asked
