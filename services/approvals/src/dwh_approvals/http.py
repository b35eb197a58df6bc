"""The HTTP application: API and console behind one guard, with one way to say what went wrong."""

from collections.abc import Awaitable, Callable, Sequence

from dwh_eventstore import StoreError
from dwh_runtime.config_source import ConfigMissing
from dwh_runtime.logging import get_logger
from dwh_runtime.metrics import start_at_zero
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from dwh_approvals.api import make_router
from dwh_approvals.decide import Person
from dwh_approvals.identity import UNKNOWN_BECAUSE, IdentityAway, Scheme, Unknown, asker
from dwh_approvals.metrics import AUTH_FAILURES, HTTP_REQUESTS
from dwh_approvals.problems import Problem, Slug
from dwh_approvals.settings import SERVICE
from dwh_approvals.signing import Cursors
from dwh_approvals.web import Console, Pages, make_pages

log = get_logger(__name__)

_BY_STATUS = {404: Slug.NOT_FOUND, 405: Slug.METHOD_NOT_ALLOWED}
_FAILURES = [str(kind.status) for kind in (Slug.INTERNAL, Slug.STORE_UNAVAILABLE)]
_RETRY_AFTER = {"Retry-After": "2"}
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="dwh"'}


def make_app(console: Console, cursors: Cursors, schemes: Sequence[Scheme]) -> FastAPI:
    """Everything under `/` beside the probes; `schemes` describe how programs say who they are."""
    app = FastAPI(title="dwh approvals", version="1", docs_url=None, redoc_url=None)
    api = make_router(console.store, console.desk, cursors, identify, schemes)
    html, pages = make_pages(console, identify)
    for router in (api, html):
        app.include_router(router)
    _answer_problems(app, pages)
    _count_from_zero(api, html)
    return app


def _count_from_zero(*routers: APIRouter) -> None:
    start_at_zero(AUTH_FAILURES, SERVICE, UNKNOWN_BECAUSE)
    for route in (route for router in routers for route in router.routes):
        if isinstance(route, APIRoute):
            start_at_zero(HTTP_REQUESTS, SERVICE, [route.path], route.methods or (), _FAILURES)


async def identify(request: Request) -> Person:
    """Who asks, counted when it is nobody.

    Raises:
        Problem: unauthenticated, or identity-unavailable.
    """
    try:
        return asker(request)
    except Unknown as unknown:
        AUTH_FAILURES.labels(SERVICE, unknown.reason).inc()
        if isinstance(unknown, IdentityAway):
            raise Problem(Slug.IDENTITY_UNAVAILABLE, str(unknown), headers=_RETRY_AFTER) from None
        raise Problem(Slug.UNAUTHENTICATED, str(unknown), headers=_CHALLENGE) from None


def _answer_problems(app: FastAPI, pages: Pages) -> None:
    def answer(request: Request, problem: Problem) -> Response:
        if not request.url.path.startswith("/api/"):
            response: Response = pages.problem(request, problem)
        else:
            document = problem.document(request.url.path)
            response = JSONResponse(document, problem.kind.status, media_type="application/problem+json")
        response.headers.update(problem.headers)
        return response

    def handler(
        translate: Callable[[Exception], Problem],
    ) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def handle(request: Request, error: Exception) -> Response:
            return answer(request, translate(error))

        return handle

    app.add_exception_handler(Problem, handler(_itself))
    app.add_exception_handler(RequestValidationError, handler(_invalid))
    app.add_exception_handler(HTTPException, handler(_of_status))
    app.add_exception_handler(StoreError, handler(_store))
    app.add_exception_handler(ConfigMissing, handler(_store))
    app.add_exception_handler(Exception, handler(_unexpected))


def _itself(error: Exception) -> Problem:
    return error if isinstance(error, Problem) else _unexpected(error)


def _invalid(error: Exception) -> Problem:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    texts = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in faults]
    return Problem(Slug.INVALID_BODY, "; ".join(texts))


def _of_status(error: Exception) -> Problem:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    return Problem(_BY_STATUS.get(status, Slug.INVALID_BODY), detail)


def _store(error: Exception) -> Problem:
    log.warning("store_unavailable", error=str(error))
    return Problem(Slug.STORE_UNAVAILABLE, "try again in a moment; nothing was lost", headers=_RETRY_AFTER)


def _unexpected(error: Exception) -> Problem:
    log.error("request_failed", error=str(error), exc_info=error)
    return Problem(Slug.INTERNAL, "this is our mistake and was logged")
