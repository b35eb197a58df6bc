"""The proxy by itself, between the transport and the canned server: what each disturbance does to a call."""

import asyncio

import pytest
from faststream_sqs.testing import eventually
from faststream_sqs.testing.proxy import (
    Disturbance,
    Effect,
    FaultProxy,
    black_hole,
    delay,
    refused_connections,
    reset,
    server_error,
    throttling,
    unavailable,
)
from faststream_sqs.transport.aioboto import AiobotocoreTransport
from faststream_sqs.transport.protocol import OutgoingMessage, TransportError

pytestmark = pytest.mark.integration


@pytest.fixture
async def proxy(server):
    async with FaultProxy(server.url) as proxy:
        yield proxy


@pytest.fixture
async def transport(proxy):
    transport = AiobotocoreTransport("us-east-1", proxy.url)
    await transport.open(polls=1, wait_seconds=1)
    yield transport
    await transport.close()


@pytest.fixture
def send(server, transport):
    async def send():
        (result,) = await transport.send(server.queue("orders").url, [OutgoingMessage("x")])
        return result.ok

    return send


async def test_undisturbed_calls_go_through_on_connections_that_stay(server, proxy, send):
    for _ in range(5):
        assert await send()
    assert (server.queue("orders").left, proxy.calls, proxy.connections) == (5, {"SendMessageBatch": 5}, 1)
    assert not proxy.met


@pytest.mark.parametrize(
    ("disturbance", "code", "taken"),
    [
        (server_error(), "InternalFailure", 0),
        (unavailable(), "503", 0),
        (throttling(), "RequestThrottled", 0),
        (reset(), "EndpointConnectionError", 0),
        (reset(after=True), "EndpointConnectionError", 1),
        (refused_connections(), "EndpointConnectionError", 0),
    ],
    ids=lambda value: value.effect.value if isinstance(value, Disturbance) else None,
)
async def test_disturbed_call_fails_as_it_should_can_be_tried_again_and_succeeds_after(
    server, proxy, send, disturbance, code, taken
):
    assert await send()
    async with proxy.disturbed(disturbance):
        with pytest.raises(TransportError) as caught:
            await send()
        assert (caught.value.code, caught.value.retryable) == (code, True)
        assert server.queue("orders").left == 1 + taken
    assert await send()
    assert server.queue("orders").left == 2 + taken


async def test_black_hole_answers_nothing_and_its_connections_stay_silent_after_it(server, proxy, send):
    assert await send()
    await proxy.disturb(black_hole())
    lost = asyncio.create_task(send())
    await eventually(lambda: proxy.met[Effect.BLACK_HOLE] == 1)
    await proxy.heal()
    assert await send()
    assert not lost.done()
    assert (server.queue("orders").left, proxy.connections) == (2, 2)
    lost.cancel()
    await asyncio.gather(lost, return_exceptions=True)


async def test_black_hole_swallows_the_answer_of_a_poll_that_was_under_way(server, proxy, transport):
    url = server.queue("orders").url
    poll = asyncio.create_task(transport.receive(url, limit=1, wait_seconds=20, visibility=30))
    await eventually(lambda: server.calls["ReceiveMessage"] == 1)
    await proxy.disturb(black_hole())
    server.queue("orders").load(["x"])
    await eventually(lambda: server.queue("orders").in_flight == 1)
    await proxy.heal()
    done, _ = await asyncio.wait([poll], timeout=0.2)
    assert not done
    poll.cancel()
    await asyncio.gather(poll, return_exceptions=True)


async def test_delay_holds_a_call_back(proxy, send):
    await proxy.disturb(delay(0.3))
    started = asyncio.get_running_loop().time()
    assert await send()
    assert asyncio.get_running_loop().time() - started >= 0.3


async def test_only_the_named_operations_are_disturbed(server, proxy, transport, send):
    await proxy.disturb(throttling(operations=["ReceiveMessage"]))
    assert await send()
    with pytest.raises(TransportError, match="RequestThrottled"):
        await transport.receive(server.queue("orders").url, limit=1, wait_seconds=0, visibility=30)


async def outcomes(server, seed):
    async with FaultProxy(server.url, seed=seed) as proxy:
        await proxy.disturb(server_error(share=0.3))
        transport = AiobotocoreTransport("us-east-1", proxy.url)
        await transport.open(polls=1, wait_seconds=1)
        try:
            return [await _succeeds(transport, server.queue("orders").url) for _ in range(60)]
        finally:
            await transport.close()


async def _succeeds(transport, url):
    try:
        await transport.send(url, [OutgoingMessage("x")])
    except TransportError:
        return False
    return True


async def test_share_of_calls_is_disturbed_and_the_same_ones_with_the_same_seed(server):
    first = await outcomes(server, 1)
    assert first == await outcomes(server, 1) != await outcomes(server, 2)
    assert 0.1 < first.count(False) / len(first) < 0.5


async def test_wrong_credentials_are_refused_then_right_ones_accepted(proxy, send):
    proxy.accept_only("another")
    with pytest.raises(TransportError) as caught:
        await send()
    assert (caught.value.code, caught.value.retryable) == ("InvalidClientTokenId", False)
    proxy.accept_only("local", "another")
    assert await send()
    proxy.accept_only()
    assert await send()


async def test_sns_is_refused_in_its_own_protocol(proxy, transport):
    await proxy.disturb(throttling(operations=["PublishBatch"]))
    with pytest.raises(TransportError) as caught:
        await transport.publish("arn:aws:sns:us-east-1:000000000000:news", [OutgoingMessage("x")])
    assert (caught.value.code, caught.value.retryable) == ("RequestThrottled", True)


async def test_server_that_is_gone_resets_its_clients(server, proxy, send):
    assert await send()
    await server.__aexit__()
    async with FaultProxy("http://127.0.0.1:9") as lonely:  # the port of discard, where nobody listens
        transport = AiobotocoreTransport("us-east-1", lonely.url)
        await transport.open(polls=1, wait_seconds=1)
        with pytest.raises(TransportError) as caught:
            await transport.send("http://127.0.0.1:9/000000000000/orders", [OutgoingMessage("x")])
        assert caught.value.retryable
        await transport.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: throttling(share=2), "a share lies between 0 and 1, not at 2"),
        (lambda: Disturbance(effect=Effect.REFUSE, share=0.5), "connections are refused all or none"),
        (lambda: FaultProxy("https://sqs.us-east-1.amazonaws.com"), "the target is an http:// address"),
    ],
    ids=["share", "refuse", "target"],
)
def test_what_cannot_be_done_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
