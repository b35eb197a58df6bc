import json

import pytest
from faststream_sqs import Batch, BatchOutcome, InvalidMessageError, MalformedEnvelopeError, SQSBroker
from faststream_sqs.annotations import BatchMessage
from faststream_sqs.parser import SQSParser, unwrapped
from faststream_sqs.testing import MemoryTransport, a_delivery, eventually
from faststream_sqs.transport.protocol import OutgoingMessage, TransportError
from faststream_sqs.transport.remedies import NO_QUEUE, OTHER_REGION, STALE, TOO_LARGE, remedy_of

TOPIC = "arn:aws:sns:us-east-1:000000000000:news"


def envelope(**changes):
    whole = {"Type": "Notification", "TopicArn": TOPIC, "MessageId": "m", "Message": "hello"}
    return json.dumps(whole | changes)


BROKEN = [
    (envelope(Message={"no": "text"}), "its Message is no text"),
    (envelope(MessageId=None), "its MessageId is no text"),
    (envelope(MessageAttributes=["a"]), "its MessageAttributes"),
    (envelope(MessageAttributes={"a": "b"}), "its MessageAttributes"),
    (envelope(MessageAttributes={"a": {"Type": "Binary", "Value": "no base64"}}), "its MessageAttributes"),
]


@pytest.mark.parametrize(("body", "fault"), BROKEN)
def test_malformed_envelope_names_queue_topic_fault_and_remedy(body, fault):
    message = SQSParser().parse(a_delivery(body, queue="orders"))
    text = str(message.unreadable)
    assert text.startswith(f"orders: an SNS envelope of {TOPIC} cannot be read: {fault}")
    assert "turn on raw delivery" in text
    with pytest.raises(MalformedEnvelopeError):
        message.ensure_readable()


def test_envelope_without_attributes_is_whole():
    assert unwrapped(envelope(MessageAttributes=None)) == "hello"
    assert unwrapped("{}") == "{}"


async def test_malformed_envelope_is_parked_alone_with_its_reason(transport):
    broker = SQSBroker(transport=transport, logger=None, graceful_timeout=2)

    @broker.subscriber("orders", wait_time=0.05, batch=Batch(3, 0.2))
    async def on_orders(message: BatchMessage) -> BatchOutcome:
        return BatchOutcome().ack_all(len(message.items))

    await transport.send("orders", [OutgoingMessage(body) for body in ("1", BROKEN[0][0], "3")])
    async with broker:
        await broker.start()
        await eventually(lambda: transport.bodies("dead") and not transport.bodies("orders"))
    (parked,) = transport.messages("dead")
    details = json.loads(parked.attributes["parking"].text)
    assert (parked.body, details["exception_type"], details["attempts"]) == (
        BROKEN[0][0],
        "MalformedEnvelopeError",
        1,
    )


@pytest.mark.parametrize(
    ("code", "detail", "remedy"),
    [
        ("SignatureDoesNotMatch", "Credential should be scoped to a valid region.", OTHER_REGION),
        ("InvalidParameterValue", "Value x for parameter ReceiptHandle is invalid. Expired.", STALE),
        ("InvalidParameterValue", "One or more: Message must be shorter than 1048576 bytes.", TOO_LARGE),
        ("InvalidParameter", "Invalid parameter: TopicArn", OTHER_REGION),
        ("InvalidParameterValue", "something else", ""),
        ("ThrottlingException", "Rate exceeded", ""),
    ],
)
def test_remedy_follows_code_and_detail(code, detail, remedy):
    assert remedy_of(code, detail) == remedy


def test_error_keeps_the_first_name_it_was_given():
    error = TransportError("QueueDoesNotExist", "gone").about("orders").about("other")
    assert str(error) == f"orders: QueueDoesNotExist: gone ({NO_QUEUE})"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"message": "x" * 2**20}, f"at most {2**20} are possible ({TOO_LARGE})"),
        ({"message": "x", "attributes": {str(n): "v" for n in range(10)}}, "11 attributes, at most 10"),
        ({"message": ""}, "an empty body cannot be sent"),
    ],
)
@pytest.mark.parametrize("through", ["broker", "publisher"])
async def test_message_that_can_never_be_sent_names_its_queue(options, text, through):
    transport = MemoryTransport()
    transport.create_queue("orders")
    broker = SQSBroker(transport=transport, logger=None)
    await broker.connect()
    send = broker.publisher("orders").publish if through == "publisher" else broker.publish
    target = {} if through == "publisher" else {"target": "orders"}
    with pytest.raises(InvalidMessageError) as caught:
        await send(**options, **target)
    assert str(caught.value).startswith("orders: ")
    assert text in str(caught.value)
    assert transport.bodies("orders") == []


async def test_publish_to_a_missing_queue_names_it_and_the_remedy():
    broker = SQSBroker(transport=MemoryTransport(), logger=None)
    await broker.connect()
    with pytest.raises(TransportError) as caught:
        await broker.publish("x", "absent")
    assert str(caught.value).startswith("absent: ")
    assert NO_QUEUE in str(caught.value)
