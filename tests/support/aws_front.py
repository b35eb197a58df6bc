"""What stands before an OpenSearch domain at AWS, on loopback: it recomputes the signature of every request.

The same server also gives credentials as a container's endpoint does, so that a test can change them.
"""

import http.client
import os
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from loopback import Answer, Request, serving

REGION = "eu-central-1"
CREDENTIALS_PATH = "/credentials"
STS_PATH = "/sts"
STS_ACTION = "AssumeRoleWithWebIdentity"
STS_NAMES = {
    "AccessKeyId": "AccessKeyId",
    "SecretAccessKey": "SecretAccessKey",
    "Token": "SessionToken",
    "Expiration": "Expiration",
}
EMPTY_ANSWERS = {
    "/_bulk": {"errors": False, "items": []},
    "/_mget": {"docs": []},
    "/_search": {"_shards": {"failed": 0, "total": 1}, "timed_out": False, "hits": {"hits": []}},
}


@dataclass(frozen=True)
class Seen(Request):
    """A request, and what is wrong with its signature."""

    fault: str | None = None

    @property
    def access_key(self):
        return self.headers["authorization"].partition("Credential=")[2].partition("/")[0]


@dataclass
class Front:
    """Keys that are taken; what the next credentials are; everything that was asked."""

    upstream: str | None = None
    url: str = ""
    keys: dict = field(default_factory=dict)
    given: dict | None = None
    refusals: list = field(default_factory=list)
    seen: list = field(default_factory=list)
    asked_for_credentials: int = 0
    asked: threading.Event = field(default_factory=threading.Event)
    hold: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self):
        self.hold.set()

    def knows(self, key, secret="s3cr3t/+=", token=None):
        self.keys[key] = ReadOnlyCredentials(key, secret, token, None)

    def gives(self, key, seconds, *, token="t0ken/+=="):
        """From now on these are the credentials, for so many seconds."""
        self.knows(key, f"secret-of-{key}", token)
        end = datetime.now(UTC) + timedelta(seconds=seconds)  # noqa: TID251 - AWS's own clock
        self.given = {
            "AccessKeyId": key,
            "SecretAccessKey": f"secret-of-{key}",
            "Token": token,
            "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    @property
    def faults(self):
        return [f"{seen.method} {seen.target}: {seen.fault}" for seen in self.seen if seen.fault]


def fault_of(seen, keys):
    """Why AWS would not take this request, None when it would; computed from what came over the wire."""
    scheme, _, rest = seen.headers.get("authorization", "").partition(" ")
    if scheme != "AWS4-HMAC-SHA256":
        return "it is not signed"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    key, day, *scope = parts["Credential"].split("/")
    if key not in keys:
        return "its key is unknown"
    names, when, token = parts["SignedHeaders"].split(";"), seen.headers["x-amz-date"], keys[key].token
    needed = {"host", "x-amz-date", "x-amz-content-sha256"} | ({"x-amz-security-token"} if token else set())
    wrong = {
        f"it is signed for {scope}": scope != [REGION, "es", "aws4_request"],
        f"too little is signed: {names}": not needed <= set(names),
        "its body is another one": seen.headers["x-amz-content-sha256"] != sha256(seen.body).hexdigest(),
        "its token is another one": seen.headers.get("x-amz-security-token") != token,
        f"it was signed at {when}": not when.startswith(day) or abs(_age(when)) > timedelta(minutes=5),
        "wrong signature": _signature(seen, keys[key], names, when) != parts["Signature"],
    }
    return next((fault for fault, is_so in wrong.items() if is_so), None)


def _age(when):
    signed_at = datetime.strptime(when, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return datetime.now(UTC) - signed_at  # noqa: TID251 - AWS's own clock


def _signature(seen, credentials, names, when):
    auth = SigV4Auth(credentials, "es", REGION)
    headers = {name: seen.headers[name] for name in names}
    url = f"http://{seen.headers['host']}{seen.target}"
    request = AWSRequest(method=seen.method, url=url, headers=headers, data=seen.body)
    request.context["timestamp"] = when
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)


def _credentials(front):
    front.asked_for_credentials += 1
    front.asked.set()
    front.hold.wait(30)
    return Answer.of(front.given) if front.given else Answer.of({"message": "none"}, 404)


def _assume_role(front, body):
    if not front.given or b"WebIdentityToken=of-the-service-account" not in body:
        error = "<Error><Code>AccessDenied</Code><Message>Not you</Message></Error>"
        return Answer(403, f"<ErrorResponse>{error}</ErrorResponse>".encode(), "text/xml")
    told = "".join(f"<{tag}>{front.given[name]}</{tag}>" for name, tag in STS_NAMES.items())
    told = f"<{STS_ACTION}Result><Credentials>{told}</Credentials></{STS_ACTION}Result>"
    return Answer(200, f"<{STS_ACTION}Response>{told}</{STS_ACTION}Response>".encode(), "text/xml")


def _domain(front, seen):
    front.seen.append(seen)
    if front.refusals:
        return Answer.of({"message": front.refusals.pop(0)}, 403)
    if seen.fault:
        text = f"The request signature we calculated does not match: {seen.fault}"
        return Answer.of({"message": text}, 403)
    if front.upstream:
        return _forward(front.upstream, seen)
    path = urlsplit(seen.target).path
    return Answer.of(next((EMPTY_ANSWERS[end] for end in EMPTY_ANSWERS if path.endswith(end)), {}))


def _forward(upstream, seen):
    with closing(http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=60)) as connection:
        connection.request(
            seen.method, seen.target, seen.body, {"content-type": seen.headers["content-type"]}
        )
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), answer.headers["content-type"])


@contextmanager
def aws_front(upstream=None):
    """A front on a free port, before `upstream` or before nothing."""
    front = Front(upstream)

    def answer(request):
        if request.target == CREDENTIALS_PATH:
            return _credentials(front)
        if request.target.startswith(STS_PATH):
            return _assume_role(front, request.body)
        seen = Seen(request.method, request.target, request.headers, request.body)
        return _domain(front, replace(seen, fault=fault_of(seen, front.keys)))

    with serving(answer) as front.url:
        try:
            yield front
        finally:
            front.hold.set()


def aws_variables(monkeypatch, tmp_path, front=None, **variables):
    """Nothing of this machine's AWS settings, only these; with a front, its credentials endpoint."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    if front is not None:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{front.url}{CREDENTIALS_PATH}")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
