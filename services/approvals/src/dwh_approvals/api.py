"""The HTTP API for people's programs: approvals, runs and who I am (see `interfaces.md` 6)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal

from dwh_contracts.approvals import Channel, Decision
from dwh_contracts.canonical import JsonObject
from dwh_contracts.model import Hex64
from dwh_eventstore import Page, Store, views
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from dwh_approvals.decide import Kind, Person
from dwh_approvals.deciding import Ruling
from dwh_approvals.desk import Desk, Wish, etag
from dwh_approvals.identity import Scheme, roles_of
from dwh_approvals.problems import Problem, Slug, problem_answers
from dwh_approvals.signing import Cursors

Identify = Callable[[Request], Awaitable[Person]]
Limit = Annotated[int, Query(ge=1, le=200)]
Status = Literal["pending", "approved", "rejected", "expired"]
BULK_ITEMS = 100


class Asked(BaseModel):
    """What the person saw; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")

    source_event_id: Annotated[str, Field(max_length=200)] | None = None
    artifacts_manifest_sha256: Hex64 | None = None


class DecisionRequest(Asked):
    """One decision on one run."""

    decision: Decision
    reason: str
    channel: Literal["api", "cli"] = "api"


class BulkItem(Asked):
    """One run of a bulk decision."""

    job_name: str
    job_run_id: str


class BulkRequest(BaseModel):
    """One decision and one reason for many runs."""

    model_config = ConfigDict(extra="forbid")

    decision: Decision
    reason: str
    channel: Literal["api", "cli"] = "api"
    items: Annotated[list[BulkItem], Field(min_length=1, max_length=BULK_ITEMS)]


def make_router(
    store: Store, desk: Desk, cursors: Cursors, identify: Identify, schemes: Sequence[Scheme]
) -> APIRouter:
    """The routes under `/api/v1`; every one needs a known person, known by one of `schemes`."""
    needed = [Depends(way) for way in (identify, *schemes)]
    router = APIRouter(prefix="/api/v1", dependencies=needed, responses=problem_answers())
    me = Depends(identify)
    _decision_routes(router, desk, me)
    _approval_routes(router, store, desk, cursors)
    _run_routes(router, store, desk, cursors)

    @router.get("/me")
    async def who_am_i(person: Person = me) -> JsonObject:
        """Who the service takes you for, and what you may do."""
        return {
            "principal": person.principal,
            "name": person.decided_by,
            "groups": [*sorted(person.groups)],
            "roles": [*roles_of(person)],
        }

    return router


def _decision_routes(router: APIRouter, desk: Desk, me: Any) -> None:
    @router.post("/approvals/bulk", status_code=207)
    async def decide_on_many(body: BulkRequest, person: Person = me) -> JSONResponse:
        """Each item is decided by itself and in order; there is no transaction."""
        results = [await _one_of_many(desk, person, body, item) for item in body.items]
        return JSONResponse({"items": results}, 207)

    @router.post("/approvals/{job_name}/{job_run_id}/decisions", status_code=201)
    async def decide(
        job_name: str,
        job_run_id: str,
        body: DecisionRequest,
        if_match: Annotated[str | None, Header()] = None,
        person: Person = me,
    ) -> JSONResponse:
        """Decide on the newest attempt of a run; the answer is the decision event."""
        wish = Wish(
            body.decision,
            body.reason,
            Channel(body.channel),
            body.source_event_id,
            body.artifacts_manifest_sha256,
            if_match,
        )
        ruling = await desk.decide(person, job_name, job_run_id, wish)
        return JSONResponse(_decided(ruling), _status(ruling))


async def _one_of_many(desk: Desk, person: Person, body: BulkRequest, item: BulkItem) -> JsonObject:
    wish = Wish(
        body.decision,
        body.reason,
        Channel(body.channel),
        item.source_event_id,
        item.artifacts_manifest_sha256,
    )
    named: JsonObject = {"job_name": item.job_name, "job_run_id": item.job_run_id}
    try:
        ruling = await desk.decide(person, item.job_name, item.job_run_id, wish)
    except Problem as problem:
        return {**named, "status": problem.kind.status, "problem": problem.document("/api/v1/approvals/bulk")}
    return {**named, "status": _status(ruling), "decision": _decided(ruling)}


def _status(ruling: Ruling) -> int:
    return 200 if ruling.kind in {Kind.REPEAT, Kind.VOTED} else 201


def _decided(ruling: Ruling) -> JsonObject:
    if ruling.winner is not None:
        return ruling.winner.event
    event = ruling.event or {}
    if ruling.head is None:
        return event
    have = len(ruling.head.votes) + (ruling.kind is Kind.VOTE)
    return {**event, "accepted": False, "votes": {"have": have, "need": ruling.head.required}}


def _approval_routes(router: APIRouter, store: Store, desk: Desk, cursors: Cursors) -> None:
    @router.get("/approvals")
    async def list_approvals(
        request: Request,
        response: Response,
        status: Status = "pending",
        job_name: str | None = None,
        limit: Limit = 50,
        cursor: str | None = None,
    ) -> JsonObject:
        """Runs that wait for a decision, those with least time left first; or those decided on."""
        where: JsonObject = {"environment": store.environment, "approval_status": status.upper()}
        if job_name is not None:
            where["job_name"] = job_name
        bound: list[Any] = ["approvals", status, job_name]
        page = await store.read_models.search(
            "job-events",
            where,
            sort=("approval_expires_at", "asc") if status == "pending" else ("timestamp", "desc"),
            limit=limit,
            after=_position(cursors, cursor, bound),
        )
        return _page(page, cursors, bound, request, response)

    @router.get("/approvals/{job_name}/{job_run_id}")
    async def show_approval(
        job_name: str,
        job_run_id: str,
        response: Response,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Any:
        """The newest attempt of a run with its approval."""
        return _single(await desk.approval(job_name, job_run_id), response, if_none_match)


def _run_routes(router: APIRouter, store: Store, desk: Desk, cursors: Cursors) -> None:
    @router.get("/runs")
    async def list_runs(
        request: Request,
        response: Response,
        job_name: str | None = None,
        status: str | None = None,
        since: str | None = None,
        limit: Limit = 50,
        cursor: str | None = None,
    ) -> JsonObject:
        """Newest attempts of runs, newest first."""
        bound: list[Any] = ["runs", job_name, status, since]
        page = await views.list_runs(
            store,
            job_name=job_name,
            status=status,
            since=since,
            limit=limit,
            after=_position(cursors, cursor, bound),
        )
        return _page(page, cursors, bound, request, response)

    @router.get("/runs/{job_name}/{job_run_id}")
    async def show_run(
        job_name: str,
        job_run_id: str,
        response: Response,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Any:
        """The newest attempt of a run."""
        return _single(await desk.run(job_name, job_run_id), response, if_none_match)

    @router.get("/runs/{job_name}/{job_run_id}/trace")
    async def trace(job_name: str, job_run_id: str) -> JsonObject:
        """Everything that followed from a run, as a tree."""
        tree = await views.trace(store, job_run_id, job_name)
        if tree is None:
            raise Problem(Slug.NOT_FOUND, f"no run {job_run_id} of {job_name} is known")
        return tree


def _single(run: JsonObject, response: Response, if_none_match: str | None) -> Any:
    tag = etag(run)
    if if_none_match == tag:
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return run


def _position(cursors: Cursors, cursor: str | None, bound: list[Any]) -> list[Any] | None:
    if cursor is None:
        return None
    position = cursors.position(cursor, bound)
    if position is None:
        raise Problem(Slug.INVALID_BODY, "the cursor is not one of this list, or too old: start again")
    return position


def _page(page: Page, cursors: Cursors, bound: list[Any], request: Request, response: Response) -> JsonObject:
    following = cursors.after(page.after, bound)
    if following is not None:
        address = request.url.include_query_params(cursor=following)
        response.headers["Link"] = f'<{address.path}?{address.query}>; rel="next"'
    return {"items": [*page.items], "next_cursor": following}
