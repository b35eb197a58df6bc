"""Every metric of the services, declared once with kind, unit and meaning.

A declaration is the only way to make a metric: documentation, alert rules and dashboards are tested
against `DECLARED`. Label `service` stands first on all.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import Counter, Gauge, Histogram


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """What the documentation says about one metric."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    meaning: str
    labels: tuple[str, ...]


DECLARED: dict[str, MetricSpec] = {}

# Handlers answer in milliseconds when all is well; end to end includes queues and outages.
_HANDLE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_END_TO_END_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0)


def counter(name: str, meaning: str, *, unit: str, labels: Sequence[str] = ()) -> Counter:
    """Declare a counter; `name` ends in `_total`."""
    return Counter(name, meaning, _declare(name, "counter", unit, meaning, labels))


def gauge(name: str, meaning: str, *, unit: str, labels: Sequence[str] = ()) -> Gauge:
    """Declare a gauge."""
    return Gauge(name, meaning, _declare(name, "gauge", unit, meaning, labels))


def histogram(
    name: str,
    meaning: str,
    *,
    unit: str,
    labels: Sequence[str] = (),
    buckets: Sequence[float] = _HANDLE_BUCKETS,
) -> Histogram:
    """Declare a histogram."""
    return Histogram(name, meaning, _declare(name, "histogram", unit, meaning, labels), buckets=buckets)


def start_at_zero(metric: Counter, service: str, *values: Iterable[str]) -> None:
    """Export a counter as 0 for every combination of known label values.

    `increase()` over a series born at 1 is 0: without this the first failure would stay silent.
    """
    for combination in itertools.product(*values):
        metric.labels(service, *combination)


def _declare(
    name: str, kind: Literal["counter", "gauge", "histogram"], unit: str, meaning: str, labels: Sequence[str]
) -> tuple[str, ...]:
    if name in DECLARED:
        raise ValueError(f"metric {name} is declared twice")
    DECLARED[name] = MetricSpec(name, kind, unit, meaning, ("service", *labels))
    return DECLARED[name].labels


MESSAGES_RECEIVED = counter(
    "dwh_messages_received_total", "Messages handed to a handler, redeliveries included.", unit="messages"
)
MESSAGES_HANDLED = counter(
    "dwh_messages_handled_total",
    "Messages whose handler ended: done, duplicate, quarantined, retry, error or fatal.",
    unit="messages",
    labels=["outcome"],
)
HANDLE_SECONDS = histogram(
    "dwh_handle_seconds", "Time one message, or one batch, spent in its handler.", unit="s"
)
END_TO_END_SECONDS = histogram(
    "dwh_end_to_end_seconds",
    "From the event's own timestamp to its effect being durable.",
    unit="s",
    buckets=_END_TO_END_BUCKETS,
)
EFFECTS = counter(
    "dwh_effects_total",
    "Effects by kind and outcome: done, failed, already_done, held, error.",
    unit="effects",
    labels=["effect", "outcome"],
)
INFLIGHT_MESSAGES = gauge("dwh_inflight_messages", "Messages received and not yet settled.", unit="messages")
POLL_LOOP_AGE_SECONDS = gauge(
    "dwh_poll_loop_age_seconds", "Since the slowest poll loop last turned.", unit="s"
)
SETTLE_FAILURES = counter(
    "dwh_settle_failures_total", "Deletes or visibility changes that SQS refused for good.", unit="messages"
)
QUARANTINED = counter(
    "dwh_quarantined_total",
    "Refused messages stored with their raw bytes.",
    unit="messages",
    labels=["reason"],
)
STORE_APPEND = counter(
    "dwh_store_append_total",
    "Events given to the store: stored, duplicate, conflict, rejected, or failed and to be tried again.",
    unit="events",
    labels=["outcome"],
)
PROJECTION_LAG_SECONDS = gauge(
    "dwh_projection_lag_seconds",
    "Event timestamp to its fold, of the newest event folded.",
    unit="s",
    labels=["name"],
)
PENDING_APPROVALS = gauge("dwh_pending_approvals", "Runs that wait for a decision.", unit="runs")
OPEN_INCIDENTS = gauge("dwh_open_incidents", "Incidents not resolved.", unit="incidents", labels=["severity"])
CONFIG_VERSION_INFO = gauge(
    "dwh_config_version_info",
    "1 for the configuration in force; `state` is good, or bad while a newer one is refused.",
    unit="1",
    labels=["config", "version", "state"],
)
QUEUE_MESSAGES = gauge(
    "dwh_queue_messages", "Messages in a queue.", unit="messages", labels=["queue", "state"]
)
DLQ_MESSAGES = gauge(
    "dwh_dlq_messages", "Messages in a dead-letter queue.", unit="messages", labels=["queue"]
)
BRAKE_ENGAGED = gauge(
    "dwh_brake_engaged", "1 while the poison brake holds a queue.", unit="1", labels=["queue"]
)
DEPENDENCY_UP = gauge("dwh_dependency_up", "1 while a dependency answers.", unit="1", labels=["dependency"])
