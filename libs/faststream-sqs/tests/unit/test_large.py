import json

import pytest
from faststream_sqs import (
    Batch,
    BatchOutcome,
    InvalidMessageError,
    LargePayload,
    PayloadError,
    Retry,
    SQSBroker,
    Topic,
)
from faststream_sqs.annotations import BatchMessage
from faststream_sqs.large import POINTER, SIZE_ATTRIBUTE, pointer_of
from faststream_sqs.testing import MemoryObjects, TestSQSBroker, eventually
from faststream_sqs.transport.protocol import OutgoingMessage

TWO_MEGABYTES = "ü" * 1024 * 1024


@pytest.fixture
def objects():
    return MemoryObjects()


@pytest.fixture
def broker(transport, objects):
    return SQSBroker(
        transport=transport,
        objects=objects,
        large=LargePayload("bodies", prefix="p/"),
        logger=None,
        graceful_timeout=2,
    )


def pointer(bucket="bodies", key="gone"):
    return OutgoingMessage(json.dumps([POINTER, {"s3BucketName": bucket, "s3Key": key}]))


async def test_900_kilobytes_travel_inline(broker, transport, objects):
    async with broker:
        await broker.connect()
        await broker.publish("x" * 900_000, "orders")
    assert (len(transport.bodies("orders")[0]), objects.stored) == (900_000, {})


async def test_two_megabytes_are_kept_outside_and_restored(broker, transport, objects):
    seen = []

    @broker.subscriber("orders", wait_time=0.05)
    async def on_order(body: str):
        seen.append(body)

    async with broker:
        await broker.connect()
        await broker.publish(TWO_MEGABYTES, "orders", headers={"tenant": "a"})
        (sent,) = transport.messages("orders")
        await broker.start()
        await eventually(lambda: seen)
    name, place = json.loads(sent.body)
    assert (name, place["s3BucketName"], place["s3Key"][:2]) == (POINTER, "bodies", "p/")
    assert (sent.attributes[SIZE_ATTRIBUTE].text, sent.attributes[SIZE_ATTRIBUTE].data_type) == (
        str(2 * 1024 * 1024),
        "Number",
    )
    assert seen == [TWO_MEGABYTES]
    assert len(objects.stored) == 1


async def test_same_body_is_stored_once(broker, objects):
    async with broker:
        await broker.connect()
        for _ in range(2):
            await broker.publish(TWO_MEGABYTES, "orders")
    assert len(objects.stored) == 1


async def test_topic_offloads_at_its_own_limit(broker, transport, objects):
    arn = transport.create_topic("news")
    transport.subscribe(arn, "orders")
    async with broker:
        await broker.connect()
        await broker.publish("x" * 300_000, arn)
        await broker.publish("x" * 300_000, Topic(arn, max_bytes=2**20))
    offloaded, inline = transport.bodies("orders")
    assert pointer_of(offloaded.encode())
    assert len(inline) == 300_000
    assert len(objects.stored) == 1


async def test_message_whose_object_is_gone_is_parked_unhandled_at_once(broker, transport):
    seen = []

    @broker.subscriber("orders", wait_time=0.05, retry=Retry(delays=(0,)))
    async def on_order(body: str):
        seen.append(body)

    await transport.send("orders", [pointer()])
    async with broker:
        await broker.start()
        await eventually(lambda: transport.bodies("dead"))
    (parked,) = transport.messages("dead")
    details = json.loads(parked.attributes["parking"].text)
    assert (details["exception_type"], details["attempts"]) == ("MissingPayloadError", 1)
    assert (seen, parked.body) == ([], pointer().body)


async def test_bucket_that_was_not_named_is_never_read(broker, transport, objects):
    objects.stored["secrets", "key"] = b"1"

    @broker.subscriber("orders", wait_time=0.05)
    async def on_order(body: str):
        raise AssertionError(body)

    await transport.send("orders", [pointer("secrets", "key")])
    async with broker:
        await broker.start()
        await eventually(lambda: transport.bodies("dead"))
    assert "not one to read bodies from" in transport.messages("dead")[0].attributes["parking"].text


async def test_object_that_cannot_be_fetched_now_is_tried_again(broker, transport, objects):
    seen, failures = [], [PayloadError("SlowDown")]
    fetch = objects.get

    async def get(bucket, key):
        if failures:
            raise failures.pop()
        return await fetch(bucket, key)

    objects.get = get
    objects.stored["bodies", "k"] = b"7"

    @broker.subscriber("orders", wait_time=0.05, retry=Retry(delays=(0,)))
    async def on_order(body: int):
        seen.append(body)

    await transport.send("orders", [pointer(key="k")])
    async with broker:
        await broker.start()
        await eventually(lambda: seen == [7])
    assert transport.bodies("dead") == []


@pytest.mark.parametrize("verdict", ["each", "all"])
async def test_missing_object_in_a_batch_parks_alone(broker, transport, objects, verdict):
    seen = []

    @broker.subscriber("orders", wait_time=0.05, batch=Batch(3, 0.2))
    async def on_orders(message: BatchMessage):
        if verdict == "all":
            return BatchOutcome().ack_all(len(message.items))
        events = message.decode_each(json.loads)
        for index, event in events:
            seen.append(event)
            events.outcome.ack(index)
        return events.outcome

    await transport.send("orders", [OutgoingMessage("1"), pointer(), OutgoingMessage("3")])
    async with broker:
        await broker.start()
        await eventually(lambda: transport.bodies("dead") and not transport.bodies("orders"))
    assert transport.bodies("dead") == [pointer().body]
    assert seen == ([1, 3] if verdict == "each" else [])


async def test_without_a_bucket_a_large_body_is_refused(transport):
    broker = SQSBroker(transport=transport, logger=None)
    await broker.connect()
    with pytest.raises(InvalidMessageError, match="at most 1048576"):
        await broker.publish(TWO_MEGABYTES, "orders")


@pytest.mark.parametrize(
    "body",
    [
        b"[1]",
        b'["x", {"s3BucketName": "b", "s3Key": "k"}]',
        b'[1, "s3BucketName"',
        b"{}",
        b'["s3BucketName"]',
    ],
)
def test_body_that_only_resembles_a_pointer_is_none(body):
    assert pointer_of(body) is None


def test_pointer_of_the_older_java_client_is_known():
    body = b'["com.amazon.sqs.javamessaging.MessageS3Pointer",{"s3BucketName":"b","s3Key":"k"}]'
    assert pointer_of(body) == ("b", "k")


async def test_subscriber_reads_its_own_buckets_and_not_the_brokers(broker, transport, objects):
    seen = []
    objects.stored["own", "k"] = b"7"
    objects.stored["bodies", "k"] = b"8"

    @broker.subscriber("orders", wait_time=0.05, large=LargePayload("own"))
    async def on_order(body: int):
        seen.append(body)

    await transport.send("orders", [pointer("own", "k"), pointer("bodies", "k")])
    async with broker:
        await broker.start()
        await eventually(lambda: seen and transport.bodies("dead"))
    assert (seen, transport.bodies("dead")) == ([7], [pointer("bodies", "k").body])


async def test_subscriber_alone_may_fetch_bodies(transport, objects):
    broker, seen = SQSBroker(transport=transport, objects=objects, logger=None, graceful_timeout=2), []
    objects.stored["own", "k"] = b"7"

    @broker.subscriber("orders", wait_time=0.05, large=LargePayload("other", read_from=("own",)))
    async def on_order(body: int):
        seen.append(body)

    await transport.send("orders", [pointer("own", "k")])
    async with broker:
        await broker.start()
        await eventually(lambda: seen == [7])


async def test_subscriber_that_fetches_nothing_sees_the_pointer(broker, transport, objects):
    seen = []

    @broker.subscriber("orders", wait_time=0.05, large=None)
    async def on_order(body: list):
        seen.append(body[1])

    await transport.send("orders", [pointer("bodies", "k")])
    async with broker:
        await broker.start()
        await eventually(lambda: seen)
    assert seen == [{"s3BucketName": "bodies", "s3Key": "k"}]


async def test_a_body_that_is_kept_outside_is_restored_in_the_test_broker_too(broker, objects):
    seen = []

    @broker.subscriber("orders")
    async def on_order(body: str):
        seen.append(body)

    await objects.put("bodies", "p/one", b'"the large body"')
    async with TestSQSBroker(broker) as test:
        await test.publish([POINTER, {"s3BucketName": "bodies", "s3Key": "p/one"}], "orders")
    assert seen == ["the large body"]
