import asyncio
import contextlib
import json
import time

import pytest
from aiohttp import web
from faststream_sqs import SQSBroker
from faststream_sqs.testing import eventually

pytestmark = pytest.mark.integration


class Server:
    """One queue with one message per poll, which refuses, fails or does not answer while told to."""

    def __init__(self):
        self.keys = {"first"}
        self.error = None
        self.silent = False
        self.sent = 0
        self.polls = 0

    async def answer(self, request):
        operation = request.headers["X-Amz-Target"].partition(".")[2]
        key = request.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        asked = await request.json()
        self.polls += operation == "ReceiveMessage"
        if key not in self.keys:
            return refusal("InvalidClientTokenId", 403)
        if self.error is not None:
            return refusal(*self.error)
        if operation == "ReceiveMessage":
            return await self.receive()
        done = {"Successful": [{"Id": entry["Id"]} for entry in asked.get("Entries", ())]}
        return web.json_response(done if "Entries" in asked else {"Attributes": {}})

    async def receive(self):
        if self.silent:
            await asyncio.Event().wait()
        await asyncio.sleep(0.05)
        self.sent += 1
        message = {"MessageId": f"m{self.sent}", "ReceiptHandle": f"r{self.sent}", "Body": str(self.sent)}
        return web.json_response({"Messages": [message]})


def refusal(code, status):
    return web.Response(body=json.dumps({"__type": f"com.amazonaws.sqs#{code}"}), status=status)


@pytest.fixture
async def server():
    server, app = Server(), web.Application()
    app.router.add_post("/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture(autouse=True)
def _first_key(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "first")


@contextlib.asynccontextmanager
async def consuming(server, wait_time=0):
    broker, seen = SQSBroker("us-east-1", endpoint_url=server.url, graceful_timeout=2, logger=None), []

    @broker.subscriber(f"{server.url}/000000000000/orders", wait_time=wait_time)
    async def on_order(body: int):
        seen.append(body)

    await broker.start()
    yield broker, seen
    await broker.stop()


async def consumes_again(seen, seconds):
    """Seconds until a message is handled."""
    before, started = len(seen), time.monotonic()
    await eventually(lambda: len(seen) > before, seconds=seconds)
    return time.monotonic() - started


async def test_credentials_rotated_three_times_are_read_anew(server, monkeypatch):
    async with consuming(server) as (broker, seen):
        await consumes_again(seen, 5)
        for key in ("second", "third", "fourth"):
            server.keys = {key}
            await eventually(lambda: broker.health().detail["orders"]["poll_failures"] >= 1)
            assert broker.health().live
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
            assert await consumes_again(seen, 15) < 10


async def test_process_that_starts_without_good_credentials_consumes_once_it_has_them(server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "wrong")
    async with consuming(server) as (broker, seen):
        await eventually(lambda: broker.health().detail["orders"]["poll_failures"] >= 2)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "first")
        assert await consumes_again(seen, 15) < 10


@pytest.mark.parametrize(
    "error", [("InternalError", 500), ("ThrottlingException", 400), ("AccessDenied", 403)], ids=str
)
async def test_refused_polls_are_tried_until_they_succeed(server, error):
    async with consuming(server) as (broker, seen):
        await consumes_again(seen, 5)
        server.error = error
        await eventually(lambda: broker.health().detail["orders"]["poll_failures"] >= 3)
        server.error = None
        assert await consumes_again(seen, 10) < 10


async def test_poll_that_is_never_answered_is_given_up_within_its_wait_and_ten_seconds(server):
    async with consuming(server, wait_time=1) as (_broker, seen):
        await consumes_again(seen, 5)
        server.silent = True
        polls = server.polls
        await eventually(lambda: server.polls > polls)
        server.silent = False
        assert await consumes_again(seen, 20) < 1 + 10 + 1  # and the first back-off
