"""Just enough HTTP/1.1 for AWS clients: one request after another on kept connections."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

HEAD_END = b"\r\n\r\n"
REASONS = {
    200: b"OK",
    400: b"Bad Request",
    403: b"Forbidden",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    """One call: `headers` by lower-case name."""

    headers: dict[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """`ReceiveMessage` and so on; empty when the client speaks another protocol."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]

    @property
    def access_key(self) -> str:
        """The id of the key that the call is signed with; empty when it is not signed."""
        _, _, rest = self.headers.get("authorization", "").partition("Credential=")
        return rest.partition("/")[0]


def headers_of(head: bytes) -> dict[str, str]:
    """The headers by lower-case name, from everything before the empty line."""
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; `cut` closes the connection instead."""

    body: bytes = b"{}"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False

    def encode(self) -> bytes:
        """As it goes over the wire."""
        extra = b"".join(b"%s: %s\r\n" % (n.encode(), v.encode()) for n, v in self.headers)
        head = b"HTTP/1.1 %d %s\r\nContent-Type: application/x-amz-json-1.0\r\n%sContent-Length: %d\r\n\r\n"
        return head % (self.status, REASONS.get(self.status, b""), extra, len(self.body)) + self.body


Respond = Callable[[Request], Response | Awaitable[Response]]


class Connection(asyncio.Protocol):
    """Feeds requests to `respond` in order; an awaited answer holds back those behind it."""

    def __init__(self, respond: Respond, tasks: "set[asyncio.Task[None]]") -> None:
        self._respond = respond
        self._tasks = tasks
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Drop an answer nobody waits for."""
        self._transport = None
        if self._waiting is not None:
            self._waiting.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._buffer += data
        self._pump()

    def _pump(self) -> None:
        while self._waiting is None:
            request = self._next()
            if request is None:
                return
            answer = self._respond(request)
            if isinstance(answer, Response):
                self._write(answer)
            else:
                self._waiting = asyncio.ensure_future(self._later(answer))
                self._tasks.add(self._waiting)
                self._waiting.add_done_callback(self._tasks.discard)

    async def _later(self, answer: Awaitable[Response]) -> None:
        response = await answer
        self._waiting = None
        self._write(response)
        self._pump()

    def _write(self, response: Response) -> None:
        if self._transport is None:
            return
        if response.cut:
            self._transport.abort()
        else:
            self._transport.write(response.encode())

    def _next(self) -> Request | None:
        end = self._buffer.find(HEAD_END)
        if end < 0:
            return None
        headers = headers_of(bytes(self._buffer[:end]))
        start = end + len(HEAD_END)
        stop = start + int(headers.get("content-length", "0"))
        if len(self._buffer) < stop:
            if headers.get("expect") == "100-continue" and len(self._buffer) == start and self._transport:
                self._transport.write(CONTINUE)
            return None
        body = bytes(self._buffer[start:stop])
        del self._buffer[:stop]
        return Request(headers, body)
