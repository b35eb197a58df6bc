"""Who somebody is. In `local` a name is enough; everywhere else a token of the identity provider (`oidc.py`).

A person comes from the request's own header or cookie, never from a body; found out once per request.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from fastapi.security import APIKeyCookie, APIKeyHeader
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from dwh_approvals.decide import Person

APPROVERS, OPERATORS = "dwh-approvers", "dwh-operators"
Scheme = Callable[..., Any]
"""Of `fastapi.security`."""

HEADER = "x-local-user"
COOKIE = "dwh_local_user"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}", re.ASCII)
_VIEWERS = "viewer"
_ASKER = "asker"
UNKNOWN_BECAUSE = (
    "missing",
    "bad-name",
    "malformed",
    "algorithm",
    "unknown-key",
    "signature",
    "issuer",
    "audience",
    "claims",
    "expired",
    "not-yet-valid",
    "provider-away",
)


class Unknown(Exception):  # noqa: N818 - a state
    """Nobody we know; `reason` is for the metric."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class IdentityAway(Unknown):
    """Nobody can be known at present; the same request may succeed later."""

    def __init__(self, detail: str) -> None:
        super().__init__("provider-away", detail)


class Identity(Protocol):
    """A mode of knowing persons."""

    @property
    def chooses_user(self) -> bool:
        """Whether the console asks people for their name."""
        ...

    @property
    def schemes(self) -> Sequence[Scheme]:
        """The ways to say who one is, as the OpenAPI description lists them; they decide nothing."""
        ...

    async def person(self, headers: Headers, cookies: Mapping[str, str]) -> Person:
        """Who sent a request.

        Raises:
            Unknown: it does not say, or proves nothing.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


def local_person(name: str, *, verified: bool = True) -> Person:
    """The person of this name on one machine.

    Raises:
        Unknown: it is not a name.
    """
    if _NAME.fullmatch(name) is None:
        raise Unknown("bad-name", "a user name is letters, digits and `._@+-`, at most 100")
    groups = frozenset() if name.startswith(_VIEWERS) else frozenset({APPROVERS, OPERATORS})
    return Person(f"local:{name}", name, frozenset({name}), groups, verified)


class LocalIdentity:
    """Mode `local`: the header `X-Local-User`, or for browsers the cookie of the user chooser."""

    chooses_user = True
    schemes = (
        APIKeyHeader(
            name="X-Local-User", scheme_name="local user", description="A user's name.", auto_error=False
        ),
        APIKeyCookie(name=COOKIE, scheme_name="console", description="Set by the console.", auto_error=False),
    )

    async def person(self, headers: Headers, cookies: Mapping[str, str]) -> Person:
        """Who sent this request.

        Raises:
            Unknown: it does not say, or says nonsense.
        """
        name = headers.get(HEADER) or cookies.get(COOKIE)
        if not name:
            raise Unknown("missing", "say who you are: header X-Local-User, or choose a user in the console")
        return local_person(name)

    async def close(self) -> None:
        """Nothing is open."""


class Recognition:
    """ASGI middleware: finds out who asks, for `asker` to tell."""

    def __init__(self, app: ASGIApp, identity: Identity) -> None:
        self._app = app
        self._identity = identity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI."""
        if scope["type"] == "http":
            request = Request(scope)
            try:
                found: Person | Unknown = await self._identity.person(request.headers, request.cookies)
            except Unknown as unknown:
                found = unknown
            scope.setdefault("state", {})[_ASKER] = found
        await self._app(scope, receive, send)


def asker(request: Request) -> Person:
    """Who sent this request.

    Raises:
        Unknown: as `Identity.person` said.
    """
    found: Person | Unknown = request.scope["state"][_ASKER]
    if isinstance(found, Unknown):
        raise found
    return found


def roles_of(person: Person) -> list[str]:
    """What the person's groups allow: everybody known reads."""
    roles = ["reader"]
    if APPROVERS in person.groups:
        roles.append("approver")
    if OPERATORS in person.groups:
        roles.append("operator")
    return roles
