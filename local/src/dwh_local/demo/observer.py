"""Every effect, read from outside the process that made it: the node, the alert topics, the API, Airflow."""

from __future__ import annotations

import json
from typing import Any, Self

import httpx

from dwh_local.airflow import AirflowApi
from dwh_local.aws import client
from dwh_local.system import System
from dwh_local.topology import ensure_queue, subscribe

OBSERVER = "demo-observer"
TARGET_DAG = "filter_image_glue_pyspark"
RAISING = {"opened", "escalated", "reopened"}


class Observer:
    """Reads the local system over its public interfaces only."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._node = httpx.Client(base_url=system.opensearch_url, timeout=20)
        self._approvals = httpx.Client(
            base_url=system.url("approvals"), timeout=20, headers={"X-Local-User": "demo-observer"}
        )
        self._sqs = client("sqs", system.names.endpoint_url)
        self.alerts: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connections in (self._node, self._approvals, self._sqs):
            connections.close()

    def subscribe(self) -> None:
        """Listen to both alert topics with a queue of our own; copies of the courier do not pass here."""
        names, sns = self._system.names, client("sns", self._system.names.endpoint_url)
        ensure_queue(self._sqs, names.name(OBSERVER), {})
        for topic in ("quality-alerts-warning", "quality-alerts-critical"):
            subscribe(sns, names.topic_arn(topic), names.queue_arn(OBSERVER), {})

    def search(self, index: str, **terms: str | int | bool) -> list[dict[str, Any]]:
        """Documents whose fields equal the terms, as anyone with access to the node finds them."""
        query = {"bool": {"filter": [{"term": {name: value}} for name, value in terms.items()]}}
        answer = self._node.post(
            f"/{index}/_search", params={"ignore_unavailable": "true"}, json={"size": 1000, "query": query}
        )
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        return [hit["_source"] for hit in answer.raise_for_status().json()["hits"]["hits"]]

    def one(self, index: str, **terms: str | int | bool) -> dict[str, Any] | None:
        """The only document that fits, or None."""
        found = self.search(index, **terms)
        return found[0] if len(found) == 1 else None

    def event_ids(self, family: str) -> dict[str, list[str]]:
        """Ids of all stored events of a family, by event type."""
        answer = self._node.post(
            f"/events-{family}-v1-*/_search",
            json={"size": 10_000, "_source": ["event_type"], "query": {"match_all": {}}},
        ).raise_for_status()
        found: dict[str, list[str]] = {}
        for hit in answer.json()["hits"]["hits"]:
            found.setdefault(hit["_source"]["event_type"], []).append(hit["_id"])
        return {event_type: sorted(ids) for event_type, ids in sorted(found.items())}

    def dag_run(self, run_id: str) -> dict[str, Any] | None:
        """The target DAG's run as Airflow tells it, None when there is none."""
        return next((run for run in self.dag_runs() if run["dag_run_id"] == run_id), None)

    def dag_runs(self) -> list[dict[str, Any]]:
        """All runs of the target DAG."""
        try:
            with AirflowApi(self._system.url("airflow")) as api:
                return api.dag_runs(TARGET_DAG)
        except (httpx.HTTPError, ValueError):
            return []  # a busy Airflow is asked again

    def approval(self, job_name: str, run_id: str) -> dict[str, Any] | None:
        """The run as the approvals API shows it, None when it does not know it."""
        try:
            answer = self._approvals.get(f"/api/v1/approvals/{job_name}/{run_id}")
        except httpx.HTTPError:
            return None
        return answer.json() if answer.status_code == httpx.codes.OK else None

    def raised(self, job_name: str, severity: str, run_id: str | None = None) -> list[dict[str, Any]]:
        """Alerts of a severity that call for attention, received so far; admitted copies are left out."""
        self._drain()
        return [
            alert
            for alert in self.alerts
            if alert["job_name"] == job_name
            and alert["severity"] == severity
            and alert["transition"] in RAISING
            and not alert.get("possible_duplicate")
            and run_id in {None, alert["job_run_id"]}
        ]

    def _drain(self) -> None:
        url = self._system.names.queue_url(OBSERVER)
        while messages := self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.alerts.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
