"""Every `DWH_` variable that exists, so that a misspelt one is an error in each service.

A service declares only those it reads; all others are known and ignored, because one environment
(`dwh local env`, a ConfigMap) serves all of them.
"""

import difflib
from collections.abc import Iterable, Mapping

PREFIX = "DWH_"
SERVICES = ("INDEXER", "ALERTS", "ORCHESTRATOR", "APPROVALS")

SECRETS = frozenset(
    {
        "DWH_OPENSEARCH_PASSWORD",
        "DWH_ALERT_SECRETS",
        "DWH_LINK_KEYS",
        "DWH_CSRF_KEYS",
        "DWH_AUDIT_KEY",
        "DWH_TOKEN",
    }
)

_PLAIN = frozenset(
    {
        "DWH_ENVIRONMENT",
        "DWH_QUEUE_URL",
        "DWH_OPENSEARCH_URL",
        "DWH_OPENSEARCH_AUTH",
        "DWH_OPENSEARCH_USER",
        "DWH_OPENSEARCH_REPLICAS",
        "DWH_OPENSEARCH_WAIT_FOR_ACTIVE_SHARDS",
        "DWH_HANDLER_SECONDS",
        "DWH_DRAIN_SECONDS",
        "DWH_VISIBILITY_SECONDS",
        "DWH_HTTP_PORT",
        "DWH_HTTP_HOST",
        "DWH_LOG_LEVEL",
        "DWH_LOG_FORMAT",
        "DWH_JOB_EVENTS_TOPIC_ARN",
        "DWH_JOB_APPROVALS_TOPIC_ARN",
        "DWH_ALERTS_WARNING_TOPIC_ARN",
        "DWH_ALERTS_CRITICAL_TOPIC_ARN",
        "DWH_MWAA_TRIGGERS_QUEUE_URL",
        "DWH_WORKFLOW_CONFIG_URI",
        "DWH_ALERT_ROUTES_URI",
        "DWH_WEBHOOK_ALLOW",
        "DWH_CONSOLE_URL",
        "DWH_AUTH_MODE",
        "DWH_OIDC_ISSUER",
        "DWH_OIDC_AUDIENCE",
        "DWH_OIDC_GROUPS_CLAIM",
        "DWH_OIDC_TOKEN_HEADER",
        "DWH_OTLP_ENDPOINT",
        "DWH_AUDIT_URI",
        "DWH_APPROVALS_URL",
        "DWH_AIRFLOW_URL",
        "DWH_LOCAL_SLOT",
        "DWH_LOCAL_STATE",
    }
)

KNOWN = (
    _PLAIN
    | SECRETS
    | {f"{name}_FILE" for name in SECRETS}
    | {f"{PREFIX}{service}_{kind}" for service in SERVICES for kind in ("HTTP", "QUEUE_URL")}
)


def unknown_names(environ: Mapping[str, str] | Iterable[str]) -> list[str]:
    """One clear line per `DWH_` variable that nobody reads, naming the nearest one that exists."""
    problems = []
    for name in sorted(environ):
        if name.upper().startswith(PREFIX) and name.upper() not in KNOWN:
            near = difflib.get_close_matches(name.upper(), sorted(KNOWN), n=1, cutoff=0.0)
            problems.append(f"{name} is not a known setting; did you mean {near[0]}?")
    return problems
