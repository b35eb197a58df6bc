"""Mode `oidc`: a person is who a bearer token of the identity provider names, verified on each request.

Guarantees: nothing but `Authorization: Bearer` says who somebody is, or, where the settings name it and a
request has none, the header in which a load balancer hands the token on. Wherever it stood, a token counts
only with a signature of the issuer's own key by RS256, PS256 or ES256, exactly our issuer, our audience, and
within its time.
"""

from collections.abc import Mapping
from typing import Any

import jwt
from dwh_contracts.clock import Clock
from fastapi.security import HTTPBearer
from jwt.exceptions import (
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidSignatureError,
    InvalidSubjectError,
    InvalidTokenError,
    MissingRequiredClaimError,
)
from starlette.datastructures import Headers

from dwh_approvals.decide import Person
from dwh_approvals.identity import Unknown
from dwh_approvals.issuer import IssuerKeys

AUTHORIZATION = "authorization"
ALGORITHMS = frozenset({"RS256", "PS256", "ES256"})
LEEWAY_SECONDS = 30
TOKEN_BYTES = 16 * 1024
_REQUIRED = ("iss", "aud", "sub", "exp", "nbf", "iat")
_NAME_LENGTH = 255
_USER_NAMES = ("email", "preferred_username", "username", "cognito:username")
_REASONS: tuple[tuple[type[Exception], str, str], ...] = (
    (InvalidIssuerError, "issuer", "the token is of another issuer"),
    (InvalidAudienceError, "audience", "the token is for another audience"),
    (InvalidSignatureError, "signature", "the token's signature is not its issuer's"),
    (MissingRequiredClaimError, "claims", f"the token lacks one of {', '.join(_REQUIRED)}"),
    (InvalidSubjectError, "claims", "the token's subject is no name"),
)


class OidcIdentity:
    """Persons by their tokens."""

    chooses_user = False
    schemes = (
        HTTPBearer(
            bearerFormat="JWT",
            scheme_name="oidc",
            description="A token of the identity provider for the audience of this service.",
            auto_error=False,
        ),
    )

    def __init__(
        self,
        issuer: str,
        audience: str,
        keys: IssuerKeys,
        clock: Clock,
        *,
        groups_claim: str = "groups",
        token_header: str = AUTHORIZATION,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._groups_claim = groups_claim
        self._token_header = token_header
        self._keys = keys
        self._clock = clock

    async def person(self, headers: Headers, cookies: Mapping[str, str]) -> Person:  # noqa: ARG002 - the port's
        """Who sent this request.

        Raises:
            Unknown: no token, or one that proves nothing.
            IdentityAway: no token can be verified now.
        """
        claims = await self._verified(_token(headers, self._token_header))
        self._check_times(claims)
        return person_of(claims, self._issuer, self._groups_claim)

    async def close(self) -> None:
        """Release connections."""
        await self._keys.close()

    async def _verified(self, token: str) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
        except InvalidTokenError:
            raise Unknown("malformed", "this is no token") from None
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise Unknown("algorithm", f"a token is signed by one of {', '.join(sorted(ALGORITHMS))}")
        if not isinstance(kid, str) or "crit" in header:
            raise Unknown("malformed", "the token's header names no key, or asks for what is not known here")
        key = await self._keys.key(kid)
        if algorithm not in key.algorithms:
            raise Unknown("algorithm", "the token's key is for another algorithm")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.public,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                # The times are checked below, against the clock that everything here goes by.
                options={
                    "require": list(_REQUIRED),
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except InvalidTokenError as error:
            raise _unknown(error) from None
        return claims

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        times = [claims[name] for name in ("exp", "nbf", "iat")]
        if any(isinstance(time, bool) or not isinstance(time, int | float) for time in times):
            raise Unknown("claims", "exp, nbf and iat are seconds")
        now = self._clock.now().timestamp()
        ends, *begins = times
        if not now < ends + LEEWAY_SECONDS:
            raise Unknown("expired", "the token is expired: sign in again")
        if not all(now >= begin - LEEWAY_SECONDS for begin in begins):
            raise Unknown("not-yet-valid", "the token is not valid yet")


def person_of(claims: Mapping[str, Any], issuer: str, groups_claim: str) -> Person:
    """The person of a verified token: known by the e-mail that the issuer has verified, else by the subject.

    Raises:
        Unknown: the subject cannot be kept as a name.
    """
    subject, email = _name(claims["sub"]), _name(claims.get("email"))
    if subject is None:
        raise Unknown("claims", "the token's subject is no name")
    verified = claims.get("email_verified") in (True, "true")
    return Person(
        principal=f"oidc:{issuer}#{subject}",
        decided_by=email if email is not None and verified else subject,
        names=frozenset(filter(None, (subject, *(_name(claims.get(name)) for name in _USER_NAMES)))),
        groups=_groups(claims.get(groups_claim)),
    )


def _groups(value: Any) -> frozenset[str]:
    listed = [value] if isinstance(value, str) else value
    return (
        frozenset(group for group in listed if isinstance(group, str))
        if isinstance(listed, list)
        else frozenset()
    )


def _name(value: Any) -> str | None:
    fits = isinstance(value, str) and 0 < len(value) <= _NAME_LENGTH and value.isprintable()
    return str(value) if fits and value == value.strip() else None


def _token(headers: Headers, handed_on: str) -> str:
    given = headers.getlist(AUTHORIZATION) or [f"Bearer {token}" for token in headers.getlist(handed_on)]
    if not given:
        raise Unknown("missing", "sign in: `Authorization: Bearer` with a token of the identity provider")
    scheme, _, token = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not 0 < len(token) <= TOKEN_BYTES:
        raise Unknown("malformed", "one `Authorization: Bearer` with one token is asked for")
    return token.strip()


def _unknown(error: Exception) -> Unknown:
    for kind, reason, detail in _REASONS:
        if isinstance(error, kind):
            return Unknown(reason, detail)
    return Unknown("malformed", "the token cannot be read")
