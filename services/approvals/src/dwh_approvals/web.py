"""The console: pages rendered here, forms that work without scripts, event text only ever as text."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from dwh_contracts.approvals import Channel, Decision
from dwh_contracts.canonical import JsonObject, JsonValue
from dwh_contracts.clock import Clock
from dwh_contracts.workflow import Approval
from dwh_eventstore import Store
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import FormData

from dwh_approvals.api import Identify
from dwh_approvals.decide import Person, is_approver
from dwh_approvals.desk import Desk, Wish
from dwh_approvals.identity import COOKIE, Unknown, asker, local_person
from dwh_approvals.problems import Problem, Slug
from dwh_approvals.show import left, moment, number, share
from dwh_approvals.signing import CsrfTokens

_ANONYMOUS = "anonymous"
_CSS = Path(__file__).with_name("static") / "app.css"
_LISTED = 100
PolicyOf = Callable[[str], Approval]


@dataclass(frozen=True, slots=True)
class Console:
    """What the pages need, made in `app.py`."""

    store: Store
    desk: Desk
    chooses_user: bool
    tokens: CsrfTokens
    policy_of: PolicyOf
    clock: Clock


class Pages:
    """Renders a template for a request, with who is looking and the forms' tokens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._css = _CSS.read_bytes()
        digest = hashlib.sha256(self._css).hexdigest()[:16]
        self.css_path = f"/static/app.{digest}.css"
        self._templates = Environment(
            loader=PackageLoader("dwh_approvals"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"moment": moment, "number": number, "share": share, "path": run_path}

    def stylesheet(self) -> Response:
        """The one stylesheet; its address changes with its content."""
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(self._css, media_type="text/css", headers=headers)

    def person(self, request: Request) -> Person | None:
        """Who is looking, if it is anybody we know."""
        try:
            return asker(request)
        except Unknown:
            return None

    def page(self, request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        """The page `name`."""
        person = self.person(request)
        principal = person.principal if person else _ANONYMOUS
        text = self._templates.get_template(name).render(
            css=self.css_path,
            here=quote(request.scope["path"].removesuffix("/decision")),
            person=person,
            chooses_user=self._console.chooses_user,
            now=self._console.clock.now(),
            token=lambda path: self._console.tokens.token(principal, unquote(path)),
            **values,
        )
        return HTMLResponse(text, status)

    def problem(self, request: Request, problem: Problem) -> HTMLResponse:
        """The page that says what went wrong and where to go on."""
        return self.page(request, "problem.html", problem.kind.status, problem=problem)

    async def form(self, request: Request) -> FormData:
        """The form's fields, if this very person was shown it on this very page.

        Raises:
            Problem: the token is missing, old, another person's or another page's.
        """
        form = await request.form()
        person = self.person(request)
        principal = person.principal if person else _ANONYMOUS
        if not self._console.tokens.holds(str(form.get("csrf", "")), principal, request.scope["path"]):
            raise Problem(Slug.CROSS_SITE, "this form is too old or not yours: load the page again")
        return form


def run_path(run: Mapping[str, Any]) -> str:
    """Address of a run's page."""
    return f"/runs/{quote(str(run['job_name']), safe='')}/{quote(str(run['job_run_id']), safe='')}"


def make_pages(console: Console, identify: Identify) -> tuple[APIRouter, Pages]:
    """The console's routes, and what renders its problems."""
    router = APIRouter(include_in_schema=False)
    pages = Pages(console)
    router.add_api_route(pages.css_path, pages.stylesheet, methods=["GET"])
    if console.chooses_user:
        _session_route(router, pages)
    _list_routes(router, pages, console, identify)
    _run_routes(router, pages, console, identify)
    return router, pages


def _session_route(router: APIRouter, pages: Pages) -> None:
    @router.post("/session")
    async def choose_user(request: Request) -> Response:
        form = await pages.form(request)
        try:
            name = local_person(str(form.get("user", ""))).decided_by
        except Unknown as unknown:
            raise Problem(Slug.UNAUTHENTICATED, str(unknown)) from None
        onward = str(form.get("next", "/"))
        safe = onward.startswith("/") and not onward.startswith(("//", "/\\"))
        response = RedirectResponse(onward if safe else "/approvals", 303)
        response.set_cookie(COOKIE, name, httponly=True, samesite="strict", path="/")
        return response


def _list_routes(router: APIRouter, pages: Pages, console: Console, identify: Identify) -> None:
    @router.get("/")
    async def start() -> Response:
        return RedirectResponse("/approvals", 303)

    @router.get("/approvals")
    async def approvals(request: Request, show: str = "pending") -> Response:
        await identify(request)
        pending = show != "decided"
        states: list[JsonValue] = ["PENDING"] if pending else ["APPROVED", "REJECTED", "EXPIRED"]
        page = await console.store.read_models.search(
            "job-events",
            {"environment": console.store.environment, "approval_status": states},
            sort=("approval_expires_at", "asc") if pending else ("approval_timestamp", "desc"),
            limit=_LISTED,
        )
        now = console.clock.now()
        runs = [{**run, "left": left(run["approval_expires_at"], now)} for run in page.items]
        return pages.page(request, "approvals.html", runs=runs, pending=pending)


def _run_routes(router: APIRouter, pages: Pages, console: Console, identify: Identify) -> None:
    async def show(
        request: Request, run: JsonObject, status: int = 200, problem: Problem | None = None, typed: str = ""
    ) -> Response:
        policy = console.policy_of(str(run["job_name"]))
        return pages.page(
            request,
            "run.html",
            status,
            run=run,
            checks=_failed_first(run),
            policy=policy,
            hindrance=_hindrance(await identify(request), run, policy),
            left=left(run["approval_expires_at"], console.clock.now()),
            problem=problem,
            typed=typed,
        )

    @router.get("/runs/{job_name}/{job_run_id}")
    async def run(request: Request, job_name: str, job_run_id: str) -> Response:
        await identify(request)
        return await show(request, await console.desk.run(job_name, job_run_id))

    @router.post("/runs/{job_name}/{job_run_id}/decision")
    async def decide(request: Request, job_name: str, job_run_id: str) -> Response:
        person = await identify(request)
        form = await pages.form(request)
        typed = str(form.get("reason", ""))
        try:
            await console.desk.decide(person, job_name, job_run_id, _wish(form))
        except Problem as problem:
            if problem.kind is Slug.NOT_FOUND:
                raise
            found = await console.desk.run(job_name, job_run_id)
            return await show(request, found, problem.kind.status, problem, typed)
        return RedirectResponse(run_path({"job_name": job_name, "job_run_id": job_run_id}), 303)


def _wish(form: FormData) -> Wish:
    try:
        decision = Decision(str(form.get("decision", "")))
    except ValueError:
        raise Problem(Slug.INVALID_BODY, "choose: approve or reject") from None
    return Wish(
        decision,
        str(form.get("reason", "")),
        Channel.CONSOLE,
        str(form.get("source_event_id", "")) or None,
        str(form.get("artifacts_manifest_sha256", "")) or None,
    )


def _failed_first(run: Mapping[str, Any]) -> list[Any]:
    order = {"RED": 0, "YELLOW": 1, "GREEN": 2}
    return sorted(run["quality"]["checks"], key=lambda check: order.get(str(check["status"]), 3))


def _hindrance(person: Person, run: Mapping[str, Any], policy: Approval) -> str | None:
    """Why this person gets no form, in words; None when they do."""
    if run["approval_status"] is None:
        return "This run asks for no decision."
    if run["approval_status"] != "PENDING":
        return "The decision is final."
    if not is_approver(person, policy):
        return f"You are not an approver of this job. May decide: {', '.join(policy.approvers)}."
    requester = (run["metrics"] or {}).get("created_by")
    names = {name.casefold() for name in person.names}
    if policy.four_eyes and isinstance(requester, str) and requester.casefold() in names:
        return f"{requester} started this run; somebody else must decide on it."
    return None
