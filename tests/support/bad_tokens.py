"""Tokens that prove nothing, each by the reason that it is refused for."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from issuer import AUDIENCE, jwk_of, rsa_key


def unsigned(claims, header):
    parts = [json.dumps(part).encode() for part in (header, claims)]
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)


def with_none(issuer, now):
    return f"{unsigned(issuer.claims(now), {'alg': 'none', 'kid': 'rsa-1'}).decode()}."


def with_the_public_key_as_secret(issuer, now):
    head = unsigned(issuer.claims(now), {"alg": "HS256", "kid": "rsa-1"})
    pem = rsa_key("rsa-1").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signature = base64.urlsafe_b64encode(hmac.new(pem, head, hashlib.sha256).digest()).rstrip(b"=")
    return f"{head.decode()}.{signature.decode()}"


def with_another_body(issuer, now):
    head, _, signature = issuer.token(now).split(".")
    _, body, _ = issuer.token(now, sub="somebody-else").split(".")
    return f"{head}.{body}.{signature}"


def with_a_key_in_its_header(issuer, now):
    key = rsa_key("stranger")
    return issuer.token(
        now, key=key, kid="mine", headers={"jwk": jwk_of("mine", key), "jku": "http://127.0.0.1"}
    )


def later(now, seconds):
    return int((now + timedelta(seconds=seconds)).timestamp())


BAD = {
    "issuer": [
        lambda issuer, now: issuer.token(now, iss="https://other.example.com"),
        lambda issuer, now: issuer.token(now, iss=f"{issuer.url}/"),
        lambda issuer, now: issuer.token(now, iss=[issuer.url]),
    ],
    "audience": [
        lambda issuer, now: issuer.token(now, aud="another"),
        lambda issuer, now: issuer.token(now, aud=["another", f"{AUDIENCE}-2"]),
        lambda issuer, now: issuer.token(now, aud=AUDIENCE.upper()),
    ],
    "algorithm": [
        with_none,
        with_the_public_key_as_secret,
        lambda issuer, now: issuer.token(now, alg="RS384"),
        lambda issuer, now: issuer.token(now, alg="PS512"),
        lambda issuer, now: issuer.token(now, alg="ES256", kid="rsa-1"),
    ],
    "signature": [
        with_another_body,
        lambda issuer, now: issuer.token(now, key=rsa_key("stranger")),
        lambda issuer, now: issuer.token(now)[:-4] + "AAAA",
    ],
    "expired": [lambda issuer, now: issuer.token(now, exp=later(now, -30))],
    "not-yet-valid": [
        lambda issuer, now: issuer.token(now, nbf=later(now, 31)),
        lambda issuer, now: issuer.token(now, iat=later(now, 31)),
    ],
    "claims": [
        *(
            lambda issuer, now, name=name: issuer.token(now, **{name: None})
            for name in ("iss", "aud", "sub", "exp", "nbf", "iat")
        ),
        lambda issuer, now: issuer.token(now, sub=" "),
        lambda issuer, now: issuer.token(now, sub="a\nb"),
        lambda issuer, now: issuer.token(now, sub="x" * 256),
        lambda issuer, now: issuer.token(now, sub=7),
        lambda issuer, now: issuer.token(now, exp=str(later(now, 600))),
        lambda issuer, now: issuer.token(now, nbf=True),
    ],
    "unknown-key": [
        lambda issuer, now: issuer.token(now, kid="never-heard-of"),
        with_a_key_in_its_header,
    ],
    "malformed": [
        lambda issuer, now: issuer.token(now, kid=None),
        lambda issuer, now: issuer.token(now, headers={"crit": ["exp"]}),
        lambda _issuer, _now: "three.small.words",
        lambda _issuer, _now: "x" * 20_000,
        lambda _issuer, _now: "",
    ],
}
BAD_TOKENS = [(reason, make) for reason, makers in BAD.items() for make in makers]
