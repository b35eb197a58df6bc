"""What stands before an OpenSearch domain at AWS, on loopback: it recomputes the signature of every request.

The same server also gives credentials as a container's endpoint does, so that a test can change them.
"""

import http.client
import json
import os
import sys
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

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
    "/_bulk": {"items": []},
    "/_mget": {"docs": []},
    "/_search": {"_shards": {"failed": 0, "total": 1}, "timed_out": False, "hits": {"hits": []}},
}


@dataclass
class Seen:
    """One request as it came over the wire, and what is wrong with its signature."""

    method: str
    target: str
    headers: dict
    body: bytes
    fault: str | None

    @property
    def access_key(self):
        return self.headers["authorization"].partition("Credential=")[2].partition("/")[0]


@dataclass
class Front:
    """Keys that are taken; what the next credentials are; everything that was asked."""

    url: str
    upstream: str | None = None
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


def _as_json(status, document):
    return status, json.dumps(document).encode(), "application/json"


def _credentials(front):
    front.asked_for_credentials += 1
    front.asked.set()
    front.hold.wait(30)
    return _as_json(200, front.given) if front.given else _as_json(404, {"message": "none"})


def _assume_role(front, body):
    if not front.given or b"WebIdentityToken=of-the-service-account" not in body:
        error = "<Error><Code>AccessDenied</Code><Message>Not you</Message></Error>"
        return 403, f"<ErrorResponse>{error}</ErrorResponse>".encode(), "text/xml"
    told = "".join(f"<{tag}>{front.given[name]}</{tag}>" for name, tag in STS_NAMES.items())
    told = f"<{STS_ACTION}Result><Credentials>{told}</Credentials></{STS_ACTION}Result>"
    return 200, f"<{STS_ACTION}Response>{told}</{STS_ACTION}Response>".encode(), "text/xml"


def _domain(front, seen):
    front.seen.append(seen)
    if front.refusals:
        return _as_json(403, {"message": front.refusals.pop(0)})
    if seen.fault:
        return _as_json(403, {"message": f"The request signature we calculated does not match: {seen.fault}"})
    if front.upstream:
        return _forward(front.upstream, seen)
    path = urlsplit(seen.target).path
    return _as_json(200, next((EMPTY_ANSWERS[end] for end in EMPTY_ANSWERS if path.endswith(end)), {}))


def _forward(upstream, seen):
    with closing(http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=60)) as connection:
        connection.request(
            seen.method, seen.target, seen.body, {"content-type": seen.headers["content-type"]}
        )
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers["content-type"]


def _handler(front):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.path == CREDENTIALS_PATH:
                self.answer(*_credentials(front))
            elif self.path.startswith(STS_PATH):
                self.answer(*_assume_role(front, body))
            else:
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(self.command, self.path, headers, body, None)
                seen.fault = fault_of(seen, front.keys)
                self.answer(*_domain(front, seen))

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do  # noqa: N815 - names of the base class

        def answer(self, status, body, content_type):
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # whoever asked may go away
            super().handle_error(request, client_address)


@contextmanager
def aws_front(upstream=None):
    """A front on a free port, before `upstream` or before nothing."""
    server = _Server(("127.0.0.1", 0), BaseHTTPRequestHandler)
    front = Front(f"http://127.0.0.1:{server.server_port}", upstream)
    server.RequestHandlerClass = _handler(front)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield front
    finally:
        front.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


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
