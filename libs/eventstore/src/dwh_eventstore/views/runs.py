"""Runs as lists and one by one, for people."""

from datetime import datetime
from typing import Any

from dwh_contracts.canonical import JsonObject
from dwh_contracts.times import format_time

from dwh_eventstore import indices
from dwh_eventstore.backend import Query
from dwh_eventstore.folds.registers import visible
from dwh_eventstore.folds.runs import fold, run_id, targets
from dwh_eventstore.read_models import Page
from dwh_eventstore.replay.watermark import stored_event
from dwh_eventstore.store import Store

_MOST_ATTEMPTS = 50
_MOST_EVENTS = 10_000
_RUN_FAMILIES: tuple[indices.Family, ...] = ("job", "approval")


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


async def show_run_as_of(
    store: Store, job_name: str, job_run_id: str, moment: datetime, *, attempt: int | None = None
) -> JsonObject | None:
    """The run's document as it was when only the events recorded before a moment were known, or None.

    Sees what was stored up to about a second ago.
    """
    query = Query(
        indices=(*(indices.month_pattern(family) for family in _RUN_FAMILIES), indices.LATE),
        where={"environment": store.environment, "job_name": job_name, "job_run_id": job_run_id},
        ranges={"recorded_at": (None, format_time(moment))},
        sort=(("recorded_at", "asc"), ("event_id", "asc")),
        limit=_MOST_EVENTS,
    )
    events = [stored_event(found) for found in await store.backend.search(query)]
    known = [event.attempt for event in events if event.family in _RUN_FAMILIES]
    if not known:
        return None
    wanted = run_id(store.environment, job_name, job_run_id, attempt or max(known))
    document: JsonObject | None = None
    for event in events:
        for target in targets(event):
            if (target.model, target.id) == (indices.JOB_EVENTS, wanted):
                document = fold(document, event, target)
    return None if document is None else visible(document)


async def _newest_attempt(store: Store, job_name: str, job_run_id: str) -> int:
    """Follows realtime reads from attempt 1, so a run that was folded a moment ago is seen."""
    for attempt in range(1, _MOST_ATTEMPTS):
        document_id = run_id(store.environment, job_name, job_run_id, attempt)
        document = await store.read_models.get(indices.JOB_EVENTS, document_id)
        if document is None or document["latest_attempt"]:
            return attempt
    return _MOST_ATTEMPTS
