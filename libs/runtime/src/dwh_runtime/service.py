"""The life of a service process: settings, logs, HTTP, background work, broker, drain.

Guarantees: SIGTERM or SIGINT drains the broker within `DWH_DRAIN_SECONDS` and exits 0, and a second
signal changes nothing; a background task or handler that fails for good stops the process with exit 1
and one line; missing or wrong settings exit 2 with one line per problem (G11).
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext, suppress
from typing import Any, TypeVar

import uvicorn
from faststream_sqs import SQSBroker
from starlette.types import ASGIApp

from dwh_runtime import collector
from dwh_runtime.gate import Check, failures
from dwh_runtime.health import Probes, http_app
from dwh_runtime.logging import configure, get_logger
from dwh_runtime.outcomes import Fatal
from dwh_runtime.settings import ServiceSettings, SettingsError, load

log = get_logger(__name__)

_LOOK_SECONDS = 1.0
_PATIENCE_SECONDS = 3.0
S = TypeVar("S", bound=ServiceSettings)
Background = Callable[[], Awaitable[None]]


class Service:
    """What `app.build` composes and `run` brings to life."""

    def __init__(
        self,
        settings: ServiceSettings,
        broker: SQSBroker,
        *,
        name: str,
        ready: Mapping[str, Check],
        background: Sequence[Background] = (),
        app: ASGIApp | None = None,
        close: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        """`background` coroutines run until cancelled; `close` is awaited last, in reverse order."""
        self.settings = settings
        self.broker = broker
        self.name = name
        self._background = background
        self._close = close
        self._ready = ready
        self._stop = asyncio.Event()
        self.http = http_app(Probes(name, broker, ready, self._stop.is_set), app)

    def stop(self) -> None:
        """Begin the drain; calling it again is harmless."""
        if not self._stop.is_set():
            log.info("service_stopping", drain_seconds=self.settings.drain_seconds)
            self._stop.set()

    async def live(self) -> None:
        """Run from the first probe answered to the last connection closed.

        Raises:
            Fatal: the address is taken, or a handler or background task gave up.
        """
        async with AsyncExitStack() as stack:
            for close in self._close:
                stack.push_async_callback(close)
            server = _Server(self.http, _listen(self.settings))
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(server.run())
                try:
                    await self._consume()
                finally:
                    server.should_exit = True
                    await asyncio.wait([serving], timeout=self.settings.drain_seconds)

    async def _consume(self) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_ended(work)) for work in self._background]
            try:
                if await self._dependencies_there():
                    await self.broker.start()
                    log.info("service_started", port=self.settings.http_port)
                    await self._stop.wait()
            finally:
                # Timers first: what they write next would only be cut; then the broker drains in peace.
                for task in tasks:
                    task.cancel()
                await self.broker.stop()

    async def _dependencies_there(self) -> bool:
        """Receive nothing before everything needed was there once; False when told to stop meanwhile."""
        told: set[str] = set()
        while not self._stop.is_set():
            away = await failures(self._ready, _PATIENCE_SECONDS)
            if not away:
                return True
            if away.keys() != told:
                log.warning("service_waits", away=away)
                told = set(away)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _LOOK_SECONDS)
        return False


async def _ended(work: Background) -> None:
    await work()
    raise Fatal(f"background work {getattr(work, '__qualname__', work)} ended by itself")


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the drain is ours."""

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        super().__init__(uvicorn.Config(app, log_config=None, access_log=False, lifespan="auto"))
        self._listening = listening

    def capture_signals(self) -> Any:
        return nullcontext()

    async def run(self) -> None:  # type: ignore[override]
        await self.serve(sockets=[self._listening])


def _listen(settings: ServiceSettings) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.http_host, settings.http_port))
    except OSError as error:
        listening.close()
        raise Fatal(
            f"cannot listen on {settings.http_host}:{settings.http_port}: {error.strerror}"
        ) from error
    return listening


def instance_name(service: str) -> str:
    """This process among the replicas of its service: the owner of its claims and leases."""
    return f"{service}@{socket.gethostname()}/{os.getpid()}"


def run(
    build: Callable[[S], Awaitable[Service]],
    settings_type: type[S],
    *,
    name: str,
    argv: Sequence[str] | None = None,
) -> int:
    """Parse arguments, read settings, live; the process's exit code."""
    parser = argparse.ArgumentParser(prog=f"dwh_{name}", description="Settings come from DWH_* variables.")
    parser.add_argument(
        "--check-settings", action="store_true", help="print the settings, redacted, and exit"
    )
    arguments = parser.parse_args(argv)
    try:
        settings = load(settings_type)
    except SettingsError as error:
        for problem in error.problems:
            sys.stderr.write(f"dwh_{name}: {problem}\n")
        return 2
    if arguments.check_settings:
        sys.stdout.writelines(f"{key}={value}\n" for key, value in sorted(settings.redacted().items()))
        return 0
    configure(settings, name)
    log.info("service_starting", settings=settings.redacted())
    try:
        asyncio.run(_main(build, settings))
    except BaseException as error:  # noqa: BLE001 - the last edge: one clear line instead of a traceback
        return _report(name, error)
    log.info("service_stopped")
    return 0


async def _main(build: Callable[[S], Awaitable[Service]], settings: S) -> None:
    service = await build(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop)
    collector.spare()
    await service.live()


def _report(name: str, error: BaseException) -> int:
    cause = error
    while isinstance(cause, BaseExceptionGroup):
        fatal = cause.subgroup(Fatal)
        cause = (fatal or cause).exceptions[0]
    if not isinstance(cause, Fatal):
        log.error("service_crashed", exc_info=cause)
    sys.stderr.write(f"dwh_{name}: {type(cause).__name__}: {cause}\n")
    return 1
