"""The identity provider's keys: found by discovery, kept, asked for again when they change.

Guarantees: keys are not used for longer than five minutes without asking again, an unknown key id asks again
at most once a minute, and while the provider does not answer the last good keys are used for 24 hours. Any
number of requests share one question. What the provider says is taken over https alone, or from loopback.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
from dwh_contracts.clock import Clock
from dwh_runtime.logging import get_logger
from jwt.algorithms import AllowedPublicKeys, ECAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from dwh_approvals.identity import IdentityAway, Unknown
from dwh_approvals.settings import is_trustworthy

log = get_logger(__name__)

FRESH_SECONDS = 300
AGAIN_SECONDS = 60
KEPT_SECONDS = 24 * 3600
_FIRST_SECONDS = 5
"""Between attempts while there are no keys at all."""
_FETCH_SECONDS = 5.0
_ANSWER_BYTES = 1024 * 1024
_RSA_BITS = 2048
_KINDS: dict[tuple[str, str | None], tuple[frozenset[str], tuple[str, ...]]] = {
    ("RSA", None): (frozenset({"RS256", "PS256"}), ("kty", "n", "e")),
    ("EC", "P-256"): (frozenset({"ES256"}), ("kty", "crv", "x", "y")),
}
"""Type and curve → the algorithms allowed with it, and the members that make the public key."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key and the algorithms it may be used with."""

    public: AllowedPublicKeys
    algorithms: frozenset[str]


class IssuerKeys:
    """The keys of one issuer, by key id."""

    def __init__(self, issuer: str, http: httpx.AsyncClient, clock: Clock) -> None:
        """`http` is closed with these keys."""
        self._issuer = issuer
        self._http = http
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: Mapping[str, VerifyingKey] = {}
        self._got_at: float | None = None
        self._tried_at: float | None = None
        self._asked_again_at: float | None = None

    async def key(self, kid: str) -> VerifyingKey:
        """The key of this id.

        Raises:
            Unknown: the issuer has no such key.
            IdentityAway: the issuer has not said for too long which keys it has.
        """
        renewed = await self._renew()
        if kid not in self._kept() and not renewed:
            await self._ask_again(kid)
        keys = self._kept()
        if not keys:
            raise IdentityAway("the identity provider does not answer; try again in a moment")
        if kid not in keys:
            raise Unknown("unknown-key", "the token is signed with a key that its issuer does not have")
        return keys[kid]

    async def close(self) -> None:
        """Release connections."""
        await self._http.aclose()

    def _kept(self) -> Mapping[str, VerifyingKey]:
        return self._keys if self._within(KEPT_SECONDS, self._got_at) else {}

    def _within(self, seconds: float, since: float | None) -> bool:
        return since is not None and self._clock.monotonic() - since < seconds

    def _is_due(self) -> bool:
        pause = AGAIN_SECONDS if self._kept() else _FIRST_SECONDS
        return not self._within(FRESH_SECONDS, self._got_at) and not self._within(pause, self._tried_at)

    async def _renew(self) -> bool:
        """Ask if it is time to; whether this call did."""
        if not self._is_due():
            return False
        async with self._lock:
            if not self._is_due():
                return False
            await self._fetch()
            return True

    async def _ask_again(self, kid: str) -> None:
        async with self._lock:
            if kid not in self._keys and not self._within(AGAIN_SECONDS, self._asked_again_at):
                self._asked_again_at = self._clock.monotonic()
                await self._fetch()

    async def _fetch(self) -> None:
        self._tried_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                keys = await self._download()
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            log.warning("issuer_keys_away", issuer=self._issuer, error=f"{type(error).__name__}: {error}")
            return
        self._keys, self._got_at = keys, self._clock.monotonic()

    async def _download(self) -> Mapping[str, VerifyingKey]:
        told = await self._json(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if told.get("issuer") != self._issuer:
            raise ValueError(f"the issuer calls itself {told.get('issuer')}")
        address = told.get("jwks_uri")
        if not isinstance(address, str) or not is_trustworthy(address):
            raise ValueError(f"jwks_uri is no https address: {address}")
        keys = verifying_keys(await self._json(address))
        if not keys:
            raise ValueError(f"no key that could verify at {address}")
        return keys

    async def _json(self, url: str) -> dict[str, Any]:
        body = b""
        async with self._http.stream("GET", url, headers={"Accept": "application/json"}) as answer:
            answer.raise_for_status()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > _ANSWER_BYTES:
                    raise ValueError(f"more than {_ANSWER_BYTES} bytes at {url}")
        document = json.loads(body)
        if not isinstance(document, dict):
            raise ValueError(f"no JSON object at {url}")  # noqa: TRY004 - what it is not, is its value
        return document


def verifying_keys(document: Mapping[str, Any]) -> dict[str, VerifyingKey]:
    """Those keys of a JWKS that may verify here, by id; not those for other purposes, weak or broken."""
    listed = document.get("keys")
    found: dict[str, VerifyingKey] = {}
    for jwk in listed if isinstance(listed, list) else []:
        with suppress(InvalidKeyError, ValueError, KeyError, TypeError, AttributeError):
            key = _verifying(jwk)
            if key is not None and isinstance(jwk["kid"], str):
                found.setdefault(jwk["kid"], key)
    return found


def _verifying(jwk: Mapping[str, Any]) -> VerifyingKey | None:
    allowed, members = _KINDS.get((jwk["kty"], jwk.get("crv")), (frozenset(), ()))
    algorithms = allowed & {jwk["alg"]} if "alg" in jwk else allowed
    if not algorithms or jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
        return None
    public = {name: jwk[name] for name in members}  # never a private member
    key: Any = (ECAlgorithm if jwk["kty"] == "EC" else RSAAlgorithm).from_jwk(public)
    return None if jwk["kty"] == "RSA" and key.key_size < _RSA_BITS else VerifyingKey(key, algorithms)
