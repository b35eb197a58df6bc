"""The proxy: where it listens, what goes wrong now, what it has seen."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self
from urllib.parse import urlsplit

from faststream_sqs.clock import Clock, SystemClock
from faststream_sqs.testing.proxy.disturbances import Disturbance, Effect
from faststream_sqs.testing.proxy.link import Call, Link


class FaultProxy:
    """An asynchronous context manager; `url` is the endpoint for clients of the server at `target`.

    Speaks plain HTTP with bodies of a known length, as SQS and SNS do. Disturbances with a share hit calls
    by the generator `seed`, so that the same calls in the same order meet the same. `calls` counts calls by
    operation, `met` what became of those that were disturbed, swallowed answers included.
    """

    def __init__(
        self, target: str, *, seed: int = 0, host: str = "127.0.0.1", clock: Clock | None = None
    ) -> None:
        parts = urlsplit(target)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"the target is an http:// address, not {target}")
        self.calls: Counter[str] = Counter()
        self.met: Counter[Effect] = Counter()
        self.url = ""
        self._target = (parts.hostname, parts.port or 80)
        self._host = host
        self._port = 0
        self._clock = clock or SystemClock()
        self._chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._disturbances: tuple[Disturbance, ...] = ()
        self._keys: frozenset[str] | None = None
        self._refusal = Disturbance(effect=Effect.ERROR)
        self._server: asyncio.Server | None = None
        self._links: dict[Link, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listen_no_more()
        tasks = list(self._links.values())
        for link, task in self._links.items():
            link.close()  # a task that is cancelled before it begins closes nothing
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def connections(self) -> int:
        """Connections of clients that are open, silent ones included."""
        return len(self._links)

    async def disturb(self, *disturbances: Disturbance) -> None:
        """Let these happen from now on instead of those before; a call meets the first that hits it."""
        self._disturbances = disturbances
        if any(d.effect is Effect.REFUSE for d in disturbances):
            self._listen_no_more()
            for link in self._links:
                link.reset()
        elif self._server is None:
            await self._listen()

    async def heal(self) -> None:
        """Let everything through again; connections that met a black hole stay silent."""
        await self.disturb()

    @asynccontextmanager
    async def disturbed(self, *disturbances: Disturbance) -> AsyncIterator[None]:
        """Let these happen inside the block."""
        await self.disturb(*disturbances)
        try:
            yield
        finally:
            await self.heal()

    def accept_only(self, *access_keys: str, code: str = "InvalidClientTokenId") -> None:
        """Refuse calls signed with another key from now on, as AWS does; without keys accept all."""
        self._keys = frozenset(access_keys) or None
        self._refusal = Disturbance(effect=Effect.ERROR, code=code, status=403)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://{self._host}:{self._port}"

    def _listen_no_more(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self._target, reader, writer, meet=self._meet, swallows=self._swallows, clock=self._clock)
        task = asyncio.get_running_loop().create_task(link.run())
        self._links[link] = task
        task.add_done_callback(lambda _: self._links.pop(link))

    def _meet(self, call: Call) -> Disturbance | None:
        self.calls[call.operation] += 1
        met = self._due(call)
        if met is not None:
            self.met[met.effect] += 1
        return met

    def _due(self, call: Call) -> Disturbance | None:
        if self._keys is not None and call.request.access_key not in self._keys:
            return self._refusal
        for disturbance in self._disturbances:
            if disturbance.concerns(call.operation) and self._chance.random() < disturbance.share:
                return disturbance
        return None

    def _swallows(self) -> bool:
        swallowed = any(d.effect is Effect.BLACK_HOLE and d.total for d in self._disturbances)
        if swallowed:
            self.met[Effect.BLACK_HOLE] += 1
        return swallowed
