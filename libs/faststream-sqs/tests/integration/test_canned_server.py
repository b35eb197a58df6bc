"""The canned server by itself, and our broker against its errors: sockets, but no stand-in."""

import datetime as dt
import time

import pytest
from aiobotocore.credentials import AioRefreshableCredentials
from aiobotocore.session import AioSession
from faststream_sqs import Batch, SQSBroker
from faststream_sqs.annotations import BatchMessage, Message
from faststream_sqs.consume.consumer import MAX_LANES
from faststream_sqs.testing import eventually
from faststream_sqs.testing.canned import Fault
from faststream_sqs.transport.aioboto import AiobotocoreTransport
from faststream_sqs.transport.protocol import OutgoingMessage, TransportError

pytestmark = pytest.mark.integration


@pytest.fixture
async def transport(server):
    transport = AiobotocoreTransport("us-east-1", server.url)
    await transport.open(polls=1, wait_seconds=20)
    yield transport
    await transport.close()


async def receive(transport, server, *, limit=10, wait=0, visibility=30):
    url = server.queue("orders").url
    return await transport.receive(url, limit=limit, wait_seconds=wait, visibility=visibility)


async def test_preloaded_messages_arrive_in_order_and_deletes_are_noted(server, transport):
    queue = server.queue("orders")
    queue.load(str(n) for n in range(3))
    messages = await receive(transport, server)
    results = await transport.delete(queue.url, [m.receipt for m in messages])
    assert [m.body for m in messages] == ["0", "1", "2"]
    assert all(r.ok for r in results)
    assert (queue.left, sorted(queue.deleted_at)) == (0, [0, 1, 2])
    assert server.calls == {"ReceiveMessage": 1, "DeleteMessageBatch": 1}


async def test_released_message_returns_with_its_count(server, transport):
    queue = server.queue("orders")
    queue.load(["x"])
    (first,) = await receive(transport, server)
    (changed,) = await transport.change_visibility(queue.url, [(first.receipt, 0)])
    (second,) = await receive(transport, server)
    (stale,) = await transport.change_visibility(queue.url, [(first.receipt, 0)])
    assert (changed.ok, second.receive_count, stale.ok, stale.retryable) == (True, 2, False, False)


@pytest.mark.parametrize(
    ("code", "seen", "status", "retryable"),
    [
        ("ExpiredToken", "ExpiredToken", 403, False),
        ("AccessDenied", "AccessDenied", 403, False),
        ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400, False),
        ("RequestThrottled", "RequestThrottled", 400, True),
        ("InternalFailure", "InternalFailure", 500, True),
    ],
)
async def test_refusal_has_its_code_and_says_whether_trying_again_helps(
    server, transport, code, seen, status, retryable
):
    server.fail("SendMessageBatch", Fault(code, status=status))
    with pytest.raises(TransportError) as caught:
        await transport.send(server.queue("orders").url, [OutgoingMessage("x")])
    assert (caught.value.code, caught.value.retryable) == (seen, retryable)
    assert server.queue("orders").left == 0


async def test_unknown_queue_is_named_by_the_code_of_sqs(transport):
    with pytest.raises(TransportError, match=r"AWS\.SimpleQueueService\.NonExistentQueue"):
        await transport.resolve("absent")


async def test_entries_of_a_batch_fail_alone(server, transport):
    server.fail("SendMessageBatch", Fault("Busy", entries=(1,)))
    results = await transport.send(server.queue("orders").url, [OutgoingMessage(str(n)) for n in range(3)])
    assert [(r.ok, r.retryable) for r in results] == [(True, False), (False, True), (True, False)]
    assert [m.body for m in await receive(transport, server)] == ["0", "2"]


async def test_cut_after_success_leaves_the_effect(server, transport):
    server.fail("SendMessageBatch", Fault(cut=True, takes_effect=True))
    with pytest.raises(TransportError) as caught:
        await transport.send(server.queue("orders").url, [OutgoingMessage("x")])
    assert caught.value.retryable
    assert server.queue("orders").left == 1


@pytest.mark.parametrize("code", ["ExpiredToken", "AccessDenied", "RequestThrottled", "QueueDoesNotExist"])
async def test_consumer_goes_on_once_a_refusal_of_its_polls_is_over(server, code):
    broker, seen = SQSBroker("us-east-1", endpoint_url=server.url, graceful_timeout=5, logger=None), []
    server.queue("orders").load(["1"])
    server.fail("ReceiveMessage", Fault(code, times=2))

    @broker.subscriber("orders", wait_time=0)
    async def on_order(body: int):
        seen.append(body)

    async with broker:
        await broker.start()
        await eventually(lambda: seen == [1] and server.queue("orders").left == 0, seconds=10)


async def test_message_whose_delete_failed_three_ways_is_handled_once(server):
    broker, seen = SQSBroker("us-east-1", endpoint_url=server.url, graceful_timeout=5, logger=None), []
    server.queue("orders").load(str(n) for n in range(10))
    server.fail("DeleteMessageBatch", Fault("RequestThrottled"))
    server.fail("DeleteMessageBatch", Fault("InternalError", entries=(0, 3, 7)))
    server.fail("DeleteMessageBatch", Fault(cut=True, takes_effect=True))

    @broker.subscriber("orders", wait_time=0)
    async def on_order(body: int):
        seen.append(body)

    async with broker:
        await broker.start()
        await eventually(lambda: server.queue("orders").left == 0, seconds=20)
    assert sorted(seen) == list(range(10))


@pytest.mark.parametrize("batch", [None, Batch(10, 0.02)], ids=["single", "batch"])
async def test_messages_take_at_most_205_calls_a_thousand(server, batch):
    broker = SQSBroker("us-east-1", endpoint_url=server.url, graceful_timeout=5, logger=None)
    queue = server.queue("orders")
    queue.load(str(n) for n in range(2500))

    @broker.subscriber("orders", wait_time=1, max_workers=50, prefetch=50, batch=batch)
    async def on_order(message: Message if batch is None else BatchMessage):
        pass

    async with broker:
        await broker.start()
        await eventually(lambda: queue.left == 0, seconds=100)
        calls = server.calls.total() - MAX_LANES  # polls that wait for what comes next
    assert calls <= 2.5 * 205, server.calls


class RotatingCredentials:
    """Hands out the key of the moment, always about to expire, as a pod's token does at its end."""

    def __init__(self):
        self.key = "AKID0"

    async def fetch(self):
        soon = dt.datetime.fromtimestamp(time.time() + 60, dt.UTC)
        return {
            "access_key": self.key,
            "secret_key": "secret",
            "token": "token",
            "expiry_time": soon.isoformat(),
        }

    def session(self):
        session = AioSession()
        past = dt.datetime.fromtimestamp(0, dt.UTC)
        session._credentials = AioRefreshableCredentials("", "", "", past, self.fetch, "canned")
        return session


async def test_credentials_rotated_three_times_interrupt_nothing(server):
    credentials, seen = RotatingCredentials(), []
    broker = SQSBroker(
        "us-east-1",
        endpoint_url=server.url,
        session_factory=credentials.session,
        graceful_timeout=5,
        logger=None,
    )
    queue = server.queue("orders")

    @broker.subscriber("orders", wait_time=1)
    async def on_order(body: int):
        seen.append(body)

    async with broker:
        await broker.start()
        for turn in range(4):
            credentials.key = f"AKID{turn}"
            server.accept_only(credentials.key)
            queue.load([str(turn)])
            await eventually(lambda: queue.left == 0, seconds=10)
    assert seen == [0, 1, 2, 3]
