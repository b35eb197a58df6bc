"""What the processes of the local system find in their environment: the names of interfaces.md 4."""

from __future__ import annotations

import shlex

from dwh_local.aws import client_environment
from dwh_local.secrets_file import local_secrets
from dwh_local.system import ENVIRONMENT, System

SERVICES = ("indexer", "alerts", "orchestrator", "approvals")
WORKFLOW_CONFIG = "orchestration/workflow_config.json"


def shared_settings(system: System) -> dict[str, str]:
    """Settings that all four services share, complete; what does not apply locally is empty."""
    names, keys = system.names, local_secrets(system.place.state / "secrets.json")
    return {
        "DWH_ENVIRONMENT": ENVIRONMENT,
        "DWH_OPENSEARCH_URL": system.opensearch_url,
        "DWH_OPENSEARCH_AUTH": "none",
        "DWH_OPENSEARCH_USER": "",
        "DWH_OPENSEARCH_PASSWORD": "",
        "DWH_OPENSEARCH_REPLICAS": "0",
        "DWH_OPENSEARCH_WAIT_FOR_ACTIVE_SHARDS": "1",
        "DWH_HANDLER_SECONDS": "20",
        "DWH_DRAIN_SECONDS": "5",
        "DWH_VISIBILITY_SECONDS": "30",
        "DWH_HTTP_HOST": "127.0.0.1",
        "DWH_LOG_LEVEL": "INFO",
        "DWH_LOG_FORMAT": "json",
        "DWH_JOB_EVENTS_TOPIC_ARN": names.topic_arn("job-events"),
        "DWH_JOB_APPROVALS_TOPIC_ARN": names.topic_arn("job-approvals"),
        "DWH_ALERTS_WARNING_TOPIC_ARN": names.topic_arn("quality-alerts-warning"),
        "DWH_ALERTS_CRITICAL_TOPIC_ARN": names.topic_arn("quality-alerts-critical"),
        "DWH_MWAA_TRIGGERS_QUEUE_URL": system.triggers_queue_url,
        "DWH_WORKFLOW_CONFIG_URI": f"s3://{names.name('code')}/{WORKFLOW_CONFIG}",
        "DWH_ALERT_ROUTES_URI": "",
        "DWH_ALERT_SECRETS": "{}",
        "DWH_WEBHOOK_ALLOW": "",
        "DWH_CONSOLE_URL": system.url("approvals"),
        "DWH_LINK_KEYS": keys["link_key"],
        "DWH_CSRF_KEYS": keys["csrf_key"],
        "DWH_AUTH_MODE": "local",
        "DWH_OIDC_ISSUER": "",
        "DWH_OIDC_AUDIENCE": "",
        "DWH_OIDC_GROUPS_CLAIM": "",
        "DWH_OIDC_TOKEN_HEADER": "",
        "DWH_OTLP_ENDPOINT": "",
        "DWH_AUDIT_KEY": keys["audit_key"],
        "DWH_AUDIT_URI": (system.place.state / "audit").as_uri(),
        **client_environment(names.endpoint_url),
    }


def service_settings(system: System, service: str) -> dict[str, str]:
    """Everything one service finds."""
    return {
        **shared_settings(system),
        "DWH_QUEUE_URL": system.names.queue_url(service),
        "DWH_HTTP_PORT": str(dict(system.ports.items())[service]),
    }


def addresses(system: System) -> dict[str, str]:
    """Where a person or a test reaches the parts."""
    found = {"DWH_APPROVALS_URL": system.url("approvals"), "DWH_AIRFLOW_URL": system.url("airflow")}
    for service in SERVICES:
        found[f"DWH_{service.upper()}_HTTP"] = system.url(service)
        found[f"DWH_{service.upper()}_QUEUE_URL"] = system.names.queue_url(service)
    return found


def variables(system: System) -> dict[str, str]:
    """All that `dwh local env` prints."""
    return {**shared_settings(system), **addresses(system)}


def export_lines(system: System) -> list[str]:
    """`export` lines for a shell."""
    return [f"export {name}={shlex.quote(value)}" for name, value in variables(system).items()]
