"""What approvals counts beyond the metrics every service has."""

from dwh_runtime.metrics import counter, gauge, histogram

DECISIONS = counter(
    "dwh_decisions_total",
    "Decisions judged, by what became of them.",
    unit="decisions",
    labels=["decision", "channel", "outcome"],
)
DECISION_WAIT_SECONDS = histogram(
    "dwh_decision_wait_seconds",
    "From the opening of an approval to its final decision.",
    unit="s",
    buckets=(1, 10, 60, 300, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 72 * 3600, 720 * 3600),
)
OLDEST_PENDING_SECONDS = gauge(
    "dwh_approval_oldest_pending_seconds", "How long the oldest pending approval has been open.", unit="s"
)
REMINDERS = counter(
    "dwh_reminders_total", "Reminders sent, by share of the term.", unit="reminders", labels=["stage"]
)
HTTP_REQUESTS = counter(
    "dwh_http_requests_total", "Requests answered.", unit="requests", labels=["route", "method", "status"]
)
HTTP_REQUEST_SECONDS = histogram(
    "dwh_http_request_seconds", "Time from a request to its answer.", unit="s", labels=["route"]
)
AUTH_FAILURES = counter(
    "dwh_auth_failures_total", "Requests without a known person.", unit="requests", labels=["reason"]
)
CLAIMS_UNFINISHED = gauge(
    "dwh_claims_unfinished", "Claims with steps left, at the last look of this replica.", unit="claims"
)
