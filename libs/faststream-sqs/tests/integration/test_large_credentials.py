"""Bodies in S3 while the keys of the process are rotated, over a bucket that knows which keys are good."""

import asyncio
import json
import re
import time

import pytest
from aiobotocore.session import get_session
from aiohttp import web
from faststream_sqs import LargePayload, PayloadError, SQSBroker
from faststream_sqs.large import POINTER, S3Objects
from faststream_sqs.testing import MemoryTransport, eventually
from faststream_sqs.transport.credentials import RENEWAL_SECONDS
from faststream_sqs.transport.protocol import OutgoingMessage

pytestmark = pytest.mark.integration

BODY = b"x" * 200_000


class Bucket:
    """Objects for who signs with the good key; while `gate` is closed bodies stop half way."""

    def __init__(self):
        self.good = "local"
        self.stored = {"k": BODY}
        self.gate = asyncio.Event()
        self.gate.set()
        self.halves = 0

    async def answer(self, request):
        key = re.search(r"Credential=([^/]*)/", request.headers["Authorization"])[1]
        name = request.match_info["key"]
        if key != self.good:
            text = "<Error><Code>InvalidAccessKeyId</Code><Message>not known</Message></Error>"
            return web.Response(status=403, text=text)
        if request.method == "PUT":
            self.stored[name] = await request.read()
            return web.Response()
        body = self.stored[name]
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        self.halves += 1
        await self.gate.wait()
        await response.write(body[len(body) // 2 :])
        return response


@pytest.fixture
async def bucket():
    bucket, app = Bucket(), web.Application()
    app.router.add_route("*", "/bodies/{key:.*}", bucket.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    bucket.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield bucket
    await runner.cleanup()


@pytest.fixture
def opened():
    """One entry for each session that was made."""
    return []


@pytest.fixture
async def objects(bucket, opened):
    def make():
        opened.append(session := get_session())
        return session

    objects = S3Objects("us-east-1", bucket.url, make)
    await objects.open()
    yield objects
    await objects.close()


@pytest.fixture
def rotate(bucket, monkeypatch):
    def rotate(key):
        bucket.good = key
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)

    return rotate


async def test_rotated_keys_interrupt_no_call_and_cost_one_client(bucket, objects, opened, rotate):
    assert await objects.get("bodies", "k") == BODY
    rotate("second")
    fetched = await asyncio.gather(
        *(objects.get("bodies", "k") for _ in range(9)), objects.put("bodies", "new", b"1")
    )
    assert fetched == [*[BODY] * 9, None]
    assert (bucket.stored["new"], len(opened)) == (b"1", 2)


async def test_refused_keys_are_told_cost_few_clients_and_the_good_ones_are_found(
    bucket, objects, opened, rotate
):
    bucket.good = "second"
    for _ in range(20):
        with pytest.raises(PayloadError, match="InvalidAccessKeyId"):
            await objects.get("bodies", "k")
    assert len(opened) == 2
    rotate("second")
    before = time.monotonic()
    while True:
        try:
            assert await objects.get("bodies", "k") == BODY
            break
        except PayloadError:
            await asyncio.sleep(0.1)
    assert time.monotonic() - before < RENEWAL_SECONDS + 2


async def test_body_on_its_way_is_read_to_its_end_by_the_client_before(bucket, objects, rotate):
    bucket.gate.clear()
    slow = asyncio.create_task(objects.get("bodies", "k"))
    await eventually(lambda: bucket.halves == 1)
    rotate("second")
    later = asyncio.create_task(objects.get("bodies", "k"))
    await eventually(lambda: bucket.halves == 2)
    bucket.gate.set()
    assert await asyncio.gather(slow, later) == [BODY, BODY]


async def test_closed_store_says_so(objects):
    await objects.close()
    with pytest.raises(PayloadError, match="connect the broker first"):
        await objects.get("bodies", "k")


async def test_messages_with_large_bodies_are_handled_and_not_parked_after_a_rotation(bucket, rotate):
    transport, seen = MemoryTransport(), []
    transport.create_queue("dead")
    transport.create_queue("orders", dead_letters="dead")
    broker = SQSBroker(
        "us-east-1",
        endpoint_url=bucket.url,
        transport=transport,
        large=LargePayload("bodies"),
        logger=None,
        graceful_timeout=2,
    )

    @broker.subscriber("orders", wait_time=0.05, content_type="application/octet-stream")
    async def on_order(body: bytes):
        seen.append(len(body))

    pointer = json.dumps([POINTER, {"s3BucketName": "bodies", "s3Key": "k"}])
    async with broker:
        await broker.start()
        for key in ("local", "second"):
            rotate(key)
            await transport.send("orders", [OutgoingMessage(pointer)])
            await eventually(lambda: transport.bodies("orders") == [])
    assert (seen, transport.bodies("dead")) == ([len(BODY)] * 2, [])
