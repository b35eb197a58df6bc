"""Outages between the broker and its queue, by the fault proxy in front of the canned server."""

import asyncio
import contextlib
import datetime as dt
import itertools
import logging
import time

import pytest
from aiobotocore.credentials import AioCredentials
from aiobotocore.session import AioSession
from aiohttp import web
from faststream_sqs import SQSBroker
from faststream_sqs.testing import ManualClock, eventually
from faststream_sqs.testing.canned import CannedSQS, Fault
from faststream_sqs.testing.proxy import (
    FaultProxy,
    black_hole,
    refused_connections,
    reset,
    server_error,
    throttling,
    unavailable,
)
from faststream_sqs.transport.remedies import NO_CREDENTIALS, NOT_SQS

pytestmark = pytest.mark.integration

WAIT_SECONDS = 1
VISIBILITY_SECONDS = 5
RECOVERY_SECONDS = 10
ERROR_LINES = 6
"""Lines about failed polls that an outage of a minute may cost; a refused lane tries some 20 times."""

WARNING_LINES = 25
"""All its lines: besides those, settles that fail and locks that run out, of 20 messages at most."""

OUTAGES = {
    "black hole": black_hole(),
    "refused": refused_connections(),
    "reset": reset(),
    "reset after success": reset(after=True),
    "500": server_error(),
    "503 without a code": unavailable(),
    "throttling": throttling(),
}
LENGTHS = [
    pytest.param(3, id="3s"),
    pytest.param(60, id="60s", marks=[pytest.mark.prove, pytest.mark.timeout(300)]),
]


class Lines:
    def __init__(self):
        self.levels = []
        self.texts = []

    def log(self, level, event, /, **fields):
        self.levels.append(level)
        self.texts.append(event)


class Line:
    """A queue that is fed without end, the proxy before it and a broker that consumes it."""

    def __init__(self, server, proxy, *, max_workers=10, prefetch=10, **options):
        self.server = server
        self.queue = server.queue("orders")
        self.proxy = proxy
        self.seen = []
        self.log = Lines()
        self.broker = SQSBroker(
            "us-east-1", endpoint_url=proxy.url, graceful_timeout=2, logger=self.log, **options
        )
        self.fed = 0

        @self.broker.subscriber(
            "orders",
            wait_time=WAIT_SECONDS,
            visibility=VISIBILITY_SECONDS,
            max_workers=max_workers,
            prefetch=prefetch,
        )
        async def on_order(body: int):
            self.seen.append(body)

    async def feed(self):
        while True:
            self.queue.add(str(self.fed))
            self.fed += 1
            await asyncio.sleep(0.2)

    @property
    def detail(self):
        return self.broker.health().detail["orders"]

    @property
    def failures(self):
        return self.detail["poll_failures"]

    async def handles_more(self, seconds=20):
        """Seconds until a message is handled."""
        before, started = len(self.seen), time.monotonic()
        await eventually(lambda: len(self.seen) > before, seconds=seconds)
        return time.monotonic() - started

    async def stays_live(self, seconds):
        """Probe so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert self.broker.health().live
            assert await self.broker.ping()
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def a_line(**options):
    async with CannedSQS() as server, FaultProxy(server.url) as proxy:
        line = Line(server, proxy, **options)
        await line.broker.start()
        feeding = asyncio.create_task(line.feed())
        try:
            yield line
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await line.broker.stop()


async def survive(name, seconds):
    """Seconds from the end of the outage to the next handled message."""
    async with a_line() as line:
        await line.handles_more()
        async with line.proxy.disturbed(OUTAGES[name]):
            await line.stays_live(seconds)
        took = await line.handles_more()
        assert took < RECOVERY_SECONDS + (WAIT_SECONDS if name == "black hole" else 0), name
        assert line.proxy.met, name
        assert line.log.levels.count(logging.ERROR) <= ERROR_LINES, name
        assert sum(level >= logging.WARNING for level in line.log.levels) <= WARNING_LINES, name
        fed = line.fed
        await eventually(lambda: set(range(fed)) <= set(line.seen), seconds=120)
        assert len(line.seen) == len(set(line.seen)), name
        return took


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_polling_resumes_by_itself_within_ten_seconds_of_every_outage(seconds):
    async with asyncio.TaskGroup() as side_by_side:
        tried = {name: side_by_side.create_task(survive(name, seconds)) for name in OUTAGES}
    for name, task in tried.items():
        print(f"{seconds} s of {name}: handles again after {task.result():.1f} s")


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_wrong_credentials_then_right_ones_resume_within_ten_seconds(seconds, monkeypatch):
    async with a_line() as line:
        await line.handles_more()
        line.proxy.accept_only("right")
        await line.stays_live(seconds)
        assert line.failures
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "right")
        took = await line.handles_more()
    assert took < RECOVERY_SECONDS
    assert 1 <= line.log.levels.count(logging.ERROR) <= ERROR_LINES
    print(f"{seconds} s of wrong credentials: handles again after {took:.1f} s")


async def test_credentials_rotated_three_times_are_read_anew(monkeypatch):
    async with a_line() as line:
        await line.handles_more()
        for key in ("second", "third", "fourth"):
            line.proxy.accept_only(key)
            await eventually(lambda: line.failures >= 1)
            assert line.broker.health().live
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
            assert await line.handles_more() < RECOVERY_SECONDS


class Issuer:
    """Hands out the key of the moment over HTTP, as containers and pods get theirs, or fails."""

    def __init__(self):
        self.key = "first"
        self.down = False
        self.asked = 0

    async def answer(self, request):
        self.asked += 1
        if self.down or request.headers.get("Authorization") != "pod-token":
            return web.Response(status=500)
        soon = dt.datetime.fromtimestamp(time.time() + 60, dt.UTC)
        return web.json_response(
            {
                "AccessKeyId": self.key,
                "SecretAccessKey": "secret",
                "Token": "token",
                "Expiration": soon.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )


@pytest.fixture
async def issuer(monkeypatch, tmp_path):
    issuer, app = Issuer(), web.Application()
    app.router.add_get("/keys", issuer.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    token = tmp_path / "token"
    token.write_text("pod-token")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
    )
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
    yield issuer
    await runner.cleanup()


async def test_keys_of_a_pod_rotated_three_times_interrupt_nothing(issuer):
    async with a_line() as line:
        line.proxy.accept_only("first")
        await line.handles_more()
        for previous, key in itertools.pairwise(("first", "second", "third", "fourth")):
            line.proxy.accept_only(previous, key)
            issuer.key = key
            await line.handles_more()
            line.proxy.accept_only(key)
            await line.handles_more()
        assert line.log.levels.count(logging.ERROR) == 0
    assert issuer.asked >= 3


async def test_issuer_of_keys_that_is_away_during_a_rotation_is_asked_until_it_is_back(issuer):
    async with a_line() as line:
        line.proxy.accept_only("first")
        await line.handles_more()
        issuer.key, issuer.down = "second", True
        line.proxy.accept_only("second")
        await eventually(lambda: line.failures >= 1)
        assert line.broker.health().live
        issuer.down = False
        assert await line.handles_more() < RECOVERY_SECONDS


async def test_process_that_starts_without_good_credentials_consumes_once_it_has_them(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "wrong")
    async with CannedSQS() as server, FaultProxy(server.url) as proxy:
        proxy.accept_only("right")
        server.queue("orders").load(["1"])
        line = Line(server, proxy)
        async with line.broker:
            await line.broker.start()
            await eventually(lambda: line.failures >= 2)
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "right")
            assert await line.handles_more() < RECOVERY_SECONDS


async def test_page_in_the_place_of_an_answer_loses_no_message_and_no_permit():
    async with a_line(max_workers=1, prefetch=1) as line:
        await line.handles_more()
        for operation in ("DeleteMessageBatch", "ReceiveMessage"):
            line.server.fail(operation, Fault(body=b"<html>sign in</html>", status=200, times=4))
        calls = line.server.calls["DeleteMessageBatch"] + 4
        await eventually(lambda: line.server.calls["DeleteMessageBatch"] > calls, seconds=20)
        await line.handles_more()
        fed = line.fed
        await eventually(lambda: set(range(fed)) <= set(line.seen), seconds=20)
        assert len(line.seen) == len(set(line.seen))
        assert any("UnreadableAnswer: " in text and NOT_SQS in text for text in line.log.texts)


async def test_credentials_that_stay_expired_are_told_as_such_and_consumption_goes_on_after():
    expired = asyncio.Event()

    class Keys(AioCredentials):
        async def get_frozen_credentials(self):
            if expired.is_set():  # what botocore raises, word for word
                raise RuntimeError(
                    "Credentials were refreshed, but the refreshed credentials are still expired."
                )
            return await super().get_frozen_credentials()

    class Session(AioSession):
        async def get_credentials(self):
            found = await super().get_credentials()
            return Keys(found.access_key, found.secret_key)

    async with a_line(max_workers=1, prefetch=1, session_factory=Session) as line:
        await line.handles_more()
        expired.set()
        await eventually(lambda: line.detail["settle_failures"] >= 2 and line.detail["poll_failures"] >= 2)
        expired.clear()
        assert await line.handles_more() < RECOVERY_SECONDS
        fed = line.fed
        await eventually(lambda: set(range(fed)) <= set(line.seen), seconds=20)
        assert any("ExpiredToken: " in text and NO_CREDENTIALS in text for text in line.log.texts)


async def test_ping_turns_false_within_a_minute_of_a_poll_that_hangs_inside_the_sdk_and_not_before_its_time():
    clock, hangs, hung = ManualClock(), asyncio.Event(), asyncio.Event()

    class Keys(AioCredentials):
        async def get_frozen_credentials(self):
            if hangs.is_set():
                hung.set()
                await asyncio.Event().wait()
            return await super().get_frozen_credentials()

    class Session(AioSession):
        async def get_credentials(self):
            found = await super().get_credentials()
            return Keys(found.access_key, found.secret_key)

    async with a_line(clock=clock, session_factory=Session) as line:
        await line.handles_more()
        hangs.set()
        await hung.wait()
        hung_at = clock.monotonic()
        while await line.broker.ping():
            await clock.advance(1)
        assert WAIT_SECONDS + 10 < clock.monotonic() - hung_at <= 60
