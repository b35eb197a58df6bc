"""What stands before every route: who may ask from where, how much, and how answers are marked.

Guarantees: nothing below sees a request for another host, a body over its limit, or a change asked for by
another site; every answer carries the security headers, errors included.
"""

import json
from collections.abc import Iterable
from urllib.parse import urlsplit

from dwh_contracts.clock import Clock
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dwh_approvals.metrics import HTTP_REQUEST_SECONDS, HTTP_REQUESTS
from dwh_approvals.problems import Problem, Slug
from dwh_approvals.settings import SERVICE

BODY_BYTES, BULK_BYTES = 64 * 1024, 256 * 1024
URL_BYTES = 4 * 1024
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, urls: Iterable[str], is_local: bool, clock: Clock) -> None:
        """`urls`: the addresses under which people and programs may call; loopback is always one."""
        self._app = app
        self._origins = {_origin(url) for url in urls}
        self._hosts = {urlsplit(url).hostname for url in urls} | _LOOPBACK
        self._is_local = is_local
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        started = self._clock.monotonic()
        status = 500

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._mark(MutableHeaders(scope=message), request.url.path)
            await send(message)

        try:
            self._check(request)
            body = await _body(request)
        except Problem as problem:
            await _answer(problem, request.url.path)(scope, receive, marked)
        else:
            await self._app(scope, _replay(body, receive), marked)
        route = getattr(scope.get("route"), "path", "unknown")
        HTTP_REQUESTS.labels(SERVICE, route, request.method, str(status)).inc()
        HTTP_REQUEST_SECONDS.labels(SERVICE, route).observe(self._clock.monotonic() - started)

    def _check(self, request: Request) -> None:
        headers, path = request.headers, request.url.path
        if _hostname(headers.get("host", "")) not in self._hosts:
            raise Problem(Slug.CROSS_SITE, "this service does not answer under that host name")
        if len(str(request.url)) > URL_BYTES:
            raise Problem(Slug.TOO_LARGE, f"an address has at most {URL_BYTES} bytes")
        if request.method in _SAFE:
            return
        console = not path.startswith("/api/")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != (_FORM if console else _JSON):
            raise Problem(Slug.UNSUPPORTED_MEDIA_TYPE, f"send {_FORM if console else _JSON}")
        self._check_site(headers, origin_needed=console)

    def _check_site(self, headers: Headers, *, origin_needed: bool) -> None:
        origin = headers.get("origin")
        if origin is None and origin_needed:
            raise Problem(Slug.CROSS_SITE, "a form is sent from the console's own pages")
        if origin is not None and not self._ours(origin):
            raise Problem(Slug.CROSS_SITE, "the request comes from another site")
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise Problem(Slug.CROSS_SITE, "the request comes from another site")

    def _ours(self, origin: str) -> bool:
        return origin in self._origins or (self._is_local and _hostname(urlsplit(origin).netloc) in _LOOPBACK)

    def _mark(self, headers: MutableHeaders, path: str) -> None:
        for name, value in _HEADERS.items():
            headers[name] = value
        if not self._is_local:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if "cache-control" not in headers:
            headers["Cache-Control"] = "private, no-cache" if path.startswith("/api/") else "no-store"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _hostname(netloc: str) -> str | None:
    try:
        return urlsplit(f"//{netloc}").hostname
    except ValueError:
        return None


async def _body(request: Request) -> bytes:
    limit = BULK_BYTES if request.url.path.endswith("/bulk") else BODY_BYTES
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Problem(Slug.TOO_LARGE, f"a body has at most {limit} bytes")
    return body


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _answer(problem: Problem, path: str) -> Response:
    return Response(
        json.dumps(problem.document(path)), problem.kind.status, media_type="application/problem+json"
    )
