"""Runs as lists and one by one, for people."""

from typing import Any

from dwh_contracts.canonical import JsonObject

from dwh_eventstore import indices
from dwh_eventstore.folds.runs import run_id
from dwh_eventstore.read_models import Page
from dwh_eventstore.store import Store

_MOST_ATTEMPTS = 50


async def list_runs(
    store: Store,
    *,
    job_name: str | None = None,
    status: str | None = None,
    since: str | None = None,
    limit: int = 50,
    after: list[Any] | None = None,
) -> Page:
    """Newest attempts of runs, newest first; stubs of runs that never came are left out."""
    where: JsonObject = {"environment": store.environment, "known": True, "latest_attempt": True}
    if job_name is not None:
        where["job_name"] = job_name
    if status is not None:
        where["status"] = status
    return await store.read_models.search(indices.JOB_EVENTS, where, since=since, limit=limit, after=after)


async def show_run(
    store: Store, job_name: str, job_run_id: str, *, attempt: int | None = None
) -> JsonObject | None:
    """The run's document (newest attempt unless named), as of now, or None."""
    if attempt is None:
        attempt = await _newest_attempt(store, job_name, job_run_id)
    document_id = run_id(store.environment, job_name, job_run_id, attempt)
    return await store.read_models.get(indices.JOB_EVENTS, document_id)


async def _newest_attempt(store: Store, job_name: str, job_run_id: str) -> int:
    """Follows realtime reads from attempt 1, so a run that was folded a moment ago is seen."""
    for attempt in range(1, _MOST_ATTEMPTS):
        document_id = run_id(store.environment, job_name, job_run_id, attempt)
        document = await store.read_models.get(indices.JOB_EVENTS, document_id)
        if document is None or document["latest_attempt"]:
            return attempt
    return _MOST_ATTEMPTS
