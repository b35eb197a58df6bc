"""One connection of a client through the proxy."""

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

from faststream_sqs.clock import Clock
from faststream_sqs.testing.canned.http import CONTINUE, HEAD_END, Request, headers_of
from faststream_sqs.testing.proxy.disturbances import Disturbance, Effect
from faststream_sqs.testing.proxy.errors import answer_of

CHUNK = 65_536
LINGER_NOT = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends a reset."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came over the wire, and what was asked."""

    raw: bytes
    request: Request
    operation: str


Meet = Callable[[Call], Disturbance | None]


class Link:
    """Reads calls one after another, lets them meet what is due and passes on the others.

    Answers go back as they come: clients of AWS send the next call when they have the last one's answer.
    Request bodies need a length.
    """

    def __init__(
        self,
        server: tuple[str, int],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        meet: Meet,
        swallows: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._meet = meet
        self._swallows = swallows
        self._clock = clock
        self._silent = False
        self._cut = False
        self._onward: asyncio.StreamWriter | None = None
        self._back: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until either side ends the connection."""
        try:
            while not self._silent:
                await self._pass(await self._next())
            while await self._reader.read(CHUNK):
                pass
        except (OSError, asyncio.IncompleteReadError):
            self.reset()
        finally:
            self.close()
            if self._back is not None:
                self._back.cancel()
                await asyncio.gather(self._back, return_exceptions=True)

    def close(self) -> None:
        """End the connections of both sides."""
        for writer in (self._writer, self._onward):
            if writer is not None:
                writer.transport.abort()

    def reset(self) -> None:
        """Cut the client off as a crashed peer does."""
        if (peer := self._writer.get_extra_info("socket")) is not None and peer.fileno() >= 0:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        self._writer.transport.abort()

    async def _next(self) -> Call:
        head = await self._reader.readuntil(HEAD_END)
        headers = headers_of(head.removesuffix(HEAD_END))
        if headers.get("expect") == "100-continue":
            self._writer.write(CONTINUE)
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(headers, body)
        return Call(head + body, request, request.operation or _action(body))

    async def _pass(self, call: Call) -> None:
        if self._silent:  # a hole swallowed the last answer
            return
        match self._meet(call):
            case Disturbance(effect=Effect.ERROR, code=code, status=status):
                self._writer.write(answer_of(call.request, code, status).encode())
                return
            case Disturbance(effect=Effect.BLACK_HOLE):
                self._silent = True
                return
            case Disturbance(effect=Effect.RESET | Effect.REFUSE):
                raise ConnectionResetError
            case Disturbance(effect=Effect.RESET_AFTER):
                self._cut = True
            case Disturbance(effect=Effect.DELAY, seconds=seconds):
                await self._clock.sleep(seconds)
        await self._forward(call)

    async def _forward(self, call: Call) -> None:
        if self._onward is None:
            reader, self._onward = await asyncio.open_connection(*self._server)
            self._back = asyncio.create_task(self._answers(reader))
        self._onward.write(call.raw)
        await self._onward.drain()

    async def _answers(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(CHUNK):
                self._silent = self._silent or self._swallows()
                if self._cut:
                    self.reset()
                elif not self._silent:
                    self._writer.write(data)
                    await self._writer.drain()
        except OSError:
            self.reset()
        else:
            if not self._silent:
                self._writer.close()


def _action(body: bytes) -> str:
    """The operation in the older protocol, which SNS speaks."""
    return parse_qs(body.decode("latin-1")).get("Action", [""])[0]
