"""An identity provider on loopback: discovery, keys that can be changed, and the tokens it signs."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from loopback import Answer, serving

AUDIENCE = "dwh-test"
ORIGIN = "https://console.example.com"
DISCOVERY = "/realm/.well-known/openid-configuration"
JWKS = "/realm/keys"


def mode(issuer, **over):
    """Settings of a service that knows people by this issuer's tokens."""
    names = {"auth_mode": "oidc", "oidc_issuer": issuer.url, "oidc_audience": AUDIENCE}
    return {**names, "environment": "dev", "console_url": ORIGIN, **over}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@cache
def rsa_key(name, bits=2048):
    """The private key of this name, made once: making one takes long."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(name):
    return ec.generate_private_key(ec.SECP256R1())


def jwk_of(kid, private, **members):
    """The public key as a JWKS lists it."""
    algorithm = RSAAlgorithm if isinstance(private, rsa.RSAPrivateKey) else ECAlgorithm
    public = json.loads(algorithm.to_jwk(private.public_key()))
    return {"use": "sig", **public, "kid": kid, **members}


@dataclass
class Issuer:
    """What it says now, and what it was asked."""

    url: str = ""
    keys: list = field(default_factory=list)
    discovery: dict = field(default_factory=dict)
    status: int = 200
    asked: list = field(default_factory=list)

    def offers(self, *keys):
        """From now on these keys, each by (kid, private key)."""
        self.keys = [jwk_of(kid, private) for kid, private in keys]

    @property
    def fetches(self):
        return self.asked.count(JWKS)

    def answers(self):
        told = {"issuer": self.url, "jwks_uri": self.url.removesuffix("/realm") + JWKS, **self.discovery}
        return {DISCOVERY: told, JWKS: {"keys": self.keys}}

    def claims(self, now, **over):
        """Those of a good token; None leaves one out."""
        seconds = int(now.timestamp())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "subject-1",
            "email": "ann@example.com",
            "email_verified": True,
            "preferred_username": "ann",
            "groups": ["dwh-approvers"],
            "iat": seconds - 10,
            "nbf": seconds - 10,
            "exp": seconds + 600,
            **over,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, now, *, key=None, kid="rsa-1", alg="RS256", headers=None, **over):
        """A token that it signed, or somebody else with their `key`."""
        key = key or (ec_key("ec-1") if alg == "ES256" else rsa_key("rsa-1"))
        body = json.dumps(self.claims(now, **over)).encode()
        return jwt.api_jws.encode(body, key, alg, {**({"kid": kid} if kid else {}), **(headers or {})})


@contextmanager
def an_issuer():
    """One with two keys, on a free port."""
    issuer = Issuer()
    issuer.offers(("rsa-1", rsa_key("rsa-1")), ("ec-1", ec_key("ec-1")))

    def answer(request):
        issuer.asked.append(request.target)
        told = issuer.answers().get(request.target)
        return Answer.of(told, issuer.status if told else 404)

    with serving(answer) as address:
        issuer.url = f"{address}/realm"
        yield issuer
