import pytest
from aiobotocore.session import get_session
from faststream_sqs import LargePayload, SQSBroker
from faststream_sqs.annotations import Message
from faststream_sqs.testing import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
async def bucket(endpoint):
    async with get_session().create_client("s3", region_name="us-east-1", endpoint_url=endpoint) as s3:
        await s3.create_bucket(Bucket="bodies")
        yield s3


@pytest.fixture
def broker(endpoint):
    return SQSBroker(
        "us-east-1", endpoint_url=endpoint, large=LargePayload("bodies"), graceful_timeout=10, logger=None
    )


async def test_900_kilobytes_go_inline_and_two_megabytes_through_s3(broker, topology, bucket):
    url, seen = await topology.queue("orders"), {}

    @broker.subscriber(url, wait_time=1)
    async def on_order(body: str, message: Message):
        seen[message.headers.get("ExtendedPayloadSize", "inline")] = body

    async with broker:
        await broker.start()
        await broker.publish("a" * 900_000, url)
        await broker.publish("b" * 2_000_000, url)
        await eventually(lambda: len(seen) == 2, seconds=20)
    assert seen == {"inline": "a" * 900_000, "2000000": "b" * 2_000_000}
    assert await topology.counts(url) == (0, 0)


async def test_message_whose_object_was_deleted_is_parked(broker, topology, bucket, transport):
    dead = await topology.queue("dead")
    url = await topology.queue("orders", dead_letters=dead)

    @broker.subscriber(url, wait_time=1)
    async def on_order(body: str):
        raise AssertionError("never handled")

    async with broker:
        await broker.connect()
        await broker.publish("c" * 2_000_000, url)
        for found in (await bucket.list_objects_v2(Bucket="bodies"))["Contents"]:
            await bucket.delete_object(Bucket="bodies", Key=found["Key"])
        await broker.start()
        (parked,) = await transport.receive(dead, limit=1, wait_seconds=20, visibility=30)
    assert '"exception_type":"MissingPayloadError"' in parked.attributes["parking"].text
