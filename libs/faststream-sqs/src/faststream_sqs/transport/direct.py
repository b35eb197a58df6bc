"""The calls that every ten messages need, without what botocore does for calls of every service.

Serialising, rules of endpoints, hooks, signing and parsing take botocore about a millisecond a call, more
than a broker takes for ten messages. Here a call is one signature and one request; credentials, TLS, proxies
and the errors of the network are aiobotocore's. `tests/unit/test_direct.py` holds signatures and errors
against botocore's own.
"""

import hashlib
import hmac
import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.utils import get_environ_proxies

from faststream_sqs.transport.protocol import TransportError

CONTENT_TYPE = "application/x-amz-json-1.0"
ALGORITHM = "AWS4-HMAC-SHA256"
REFUSED = 300
SHOWN_BYTES = 80
USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class Signer:
    """AWS Signature Version 4 for POST requests of one service in one region.

    Source: AWS Identity and Access Management user guide, "Create a signed AWS API request".
    """

    url: str
    region: str
    service: str
    _key_of: tuple[str, str] = ("", "")
    _key: bytes = b""
    _host: str = field(init=False)
    _path: str = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        port = "" if parts.port in {None, USUAL_PORTS.get(parts.scheme)} else f":{parts.port}"
        name = parts.hostname or ""
        self._host = f"[{name}]{port}" if ":" in name else f"{name}{port}"
        self._path = parts.path or "/"

    def headers(
        self, target: str, body: bytes, credentials: ReadOnlyCredentials, at: float
    ) -> dict[str, str]:
        """Every header of a call of the operation `target` at `at`, seconds since 1970."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
        headers = {"content-type": CONTENT_TYPE, "host": self._host, "x-amz-date": stamp}
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        headers |= {"x-amz-target": target, "x-amzn-query-mode": "true"}  # in order of their names
        signed = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        asked = f"POST\n{self._path}\n\n{lines}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
        day = stamp[:8]
        scope = f"{day}/{self.region}/{self.service}/aws4_request"
        text = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(asked.encode()).hexdigest()}"
        signature = hmac.digest(self._signing_key(day, credentials.secret_key), text.encode(), "sha256").hex()
        headers["authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={signed}, Signature={signature}"
        )
        del headers["host"]  # the HTTP client writes it
        return headers

    def _signing_key(self, day: str, secret: str) -> bytes:
        if self._key_of != (day, secret):
            key = f"AWS4{secret}".encode()
            for part in (day, self.region, self.service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key_of, self._key = (day, secret), key
        return self._key


@dataclass(frozen=True, slots=True)
class _Request:
    """What aiobotocore's HTTP session reads of a request."""

    url: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"
    stream_output: bool = False
    context: dict[str, Any] = field(default_factory=dict)


class DirectCalls:
    """SQS's JSON protocol at the endpoint of a client that is open."""

    def __init__(self, session: AioSession, client: Any, http: AIOHTTPSession, user_agent: str) -> None:
        self._session = session
        self._http = http
        self._user_agent = user_agent
        self._url: str = client.meta.endpoint_url
        self._signer = Signer(self._url, client.meta.region_name, "sqs")
        self._credentials: Any = None

    async def call(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer of one call, without retries.

        Raises:
            ClientError: SQS refused, with its code as clients of the query protocol know it.
            BotoCoreError: there are no credentials, or no answer came.
            TransportError: what answered is not SQS.
        """
        payload = orjson.dumps(body)
        headers = self._signer.headers(
            f"AmazonSQS.{operation}", payload, await self._frozen_credentials(), time.time()
        )
        headers["user-agent"] = self._user_agent
        answer = await self._http.send(_Request(self._url, headers, payload))
        content = await answer.content
        if answer.status_code >= REFUSED:
            raise refusal(operation, answer.status_code, answer.headers, content)
        try:
            return parsed(content)
        except ValueError as error:
            start = content[:SHOWN_BYTES].decode(errors="replace")
            raise TransportError("UnreadableAnswer", f"{operation}: no JSON but {start!r}") from error

    async def _frozen_credentials(self) -> ReadOnlyCredentials:
        if self._credentials is None:
            self._credentials = await self._session.get_credentials()
        if self._credentials is None:
            raise NoCredentialsError
        frozen: ReadOnlyCredentials = await self._credentials.get_frozen_credentials()
        return frozen


async def open_direct(
    stack: AsyncExitStack,
    session: AioSession,
    client: Any,
    *,
    pool: int,
    timeouts: tuple[float, float],
    user_agent: str,
) -> DirectCalls:
    """Direct calls beside a client; `timeouts` are seconds to connect and between bytes of an answer."""
    http = AIOHTTPSession(
        verify=session.get_config_variable("ca_bundle") or True,
        proxies=get_environ_proxies(client.meta.endpoint_url),
        timeout=timeouts,
        max_pool_connections=pool,
    )
    return DirectCalls(session, client, await stack.enter_async_context(http), user_agent)


def parsed(content: bytes) -> dict[str, Any]:
    """An answer; one that orjson finds too lax is read as leniently as botocore reads it."""
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        found = json.loads(content)
    return found if isinstance(found, dict) else {}


def refusal(operation: str, status: int, headers: dict[str, str], content: bytes) -> ClientError:
    """The error that botocore makes of a refusal: the code of the query protocol where the answer has one."""
    try:
        body = parsed(content)
    except ValueError:
        body = {}
    code = headers.get("x-amzn-query-error", "").partition(";")[0]
    code = code or str(body.get("__type", body.get("code", status))).rpartition("#")[2]
    message = str(body.get("message") or body.get("Message") or "")
    parts: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(parts, operation)
