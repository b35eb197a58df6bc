import pytest
from faststream_sqs import BatchOutcome, InvalidMessageError, PublishError, Retry, SQSBroker, TestSQSBroker
from faststream_sqs.parser import SQSParser
from faststream_sqs.produce.sizing import batches
from faststream_sqs.testing import MemoryTransport, RecordingControl, a_delivery
from faststream_sqs.transport.protocol import Attribute, EntryResult, OutgoingMessage, TransportError

ARN = "arn:aws:sns:us-east-1:000000000000:news"


async def test_envelope_and_raw_delivery_give_the_same_message():
    transport = MemoryTransport()
    transport.create_topic("news")
    for name, raw in (("raw", True), ("enveloped", False)):
        transport.create_queue(name)
        transport.subscribe(ARN, name, raw=raw)
    broker = SQSBroker(transport=transport, logger=None)
    await broker.connect()
    await broker.publish(
        {"id": 1}, ARN, headers={"traceparent": "00-a-b-01", "tenant": "x"}, attributes={"kind": "new"}
    )
    parsed = []
    for name in ("raw", "enveloped"):
        (raw,) = await transport.receive(f"memory://queues/{name}", limit=1, wait_seconds=0, visibility=9)
        parsed.append(SQSParser().parse(a_delivery(raw.body, attributes=raw.attributes)))
    first, second = parsed
    assert (first.body, first.headers, first.correlation_id) == (
        second.body,
        second.headers,
        second.correlation_id,
    )
    assert {"traceparent": "00-a-b-01", "tenant": "x", "kind": "new"}.items() <= first.headers.items()
    assert (first.sns, second.sns.topic_arn) == (None, ARN)


@pytest.mark.parametrize(
    "body", ["", "{", '{"TopicArn": 1, "Type": "Notification"}', '{"Type":"Notification"}', "[1]", "plain"]
)
def test_body_that_only_resembles_an_envelope_stays_as_it_is(body):
    assert SQSParser().parse(a_delivery(body)).body == body.encode()


@pytest.mark.parametrize(
    ("content_type", "body", "decoded"),
    [("application/json", "5", 5), ("text/plain", "5", "5"), ("application/octet-stream", "5", b"5")],
)
async def test_body_is_decoded_by_content_type(content_type, body, decoded):
    parser = SQSParser(content_type)
    message = await parser.parse_message(a_delivery(body))
    assert await parser.decode_message(message) == decoded


async def test_outcome_settles_each_item_and_unlisted_ones_are_retried():
    control = RecordingControl()
    items = [SQSParser().parse(a_delivery(message_id=n, control=control)) for n in "abc"]
    outcome = BatchOutcome()
    outcome.ack(0)
    outcome.reject(1, "bad")
    await outcome.apply(items)
    assert [(s.message_id, s.kind) for s in control.settlements] == [
        ("a", "ack"),
        ("b", "reject"),
        ("c", "nack"),
    ]


def test_delays_are_taken_in_order_and_the_last_repeats():
    retry = Retry(delays=(2, 30, 300, 3300))
    assert [retry.delay(count) for count in (1, 2, 3, 4, 5, 9)] == [2, 30, 300, 3300, 3300, 3300]


def test_exponential_delays_stay_between_base_and_cap():
    retry = Retry(base=2, cap=100)
    assert [retry.delay(count, spread=0) for count in (1, 50)] == [2, 2]
    assert [retry.delay(count, spread=1) for count in (1, 2, 50)] == [6, 18, 100]


def test_two_megabytes_are_split_into_calls_below_the_limit():
    messages = [OutgoingMessage("x" * 200_000) for _ in range(10)]
    assert [len(group) for group in batches(messages, 1024 * 1024)] == [5, 5]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (OutgoingMessage(""), "empty body"),
        (OutgoingMessage("x" * 300_000), "at most 262144"),
        (OutgoingMessage("x", {str(n): Attribute("v") for n in range(11)}), "11 attributes, at most 10"),
    ],
)
def test_message_that_can_never_be_sent_says_why(message, why):
    with pytest.raises(InvalidMessageError, match=why):
        list(batches([message], 256 * 1024))


class Flaky(MemoryTransport):
    """Refuses what it is told to, then works."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)
        self.sent = []

    async def send(self, queue_url, messages):
        self.sent.append([m.body for m in messages])
        answer = (
            self.answers.pop(0) if self.answers else [EntryResult(ok=True, message_id="m")] * len(messages)
        )
        if isinstance(answer, Exception):
            raise answer
        return answer


async def connected(transport):
    transport.create_queue("orders")
    broker = SQSBroker(transport=transport, logger=None)
    await broker.connect()
    return broker


async def test_failed_entries_of_a_batch_are_sent_again_alone():
    fine, busy = EntryResult(ok=True, message_id="m"), EntryResult(ok=False, code="Busy", retryable=True)
    transport = Flaky([fine, busy, fine])
    broker = await connected(transport)
    assert len(await broker.publish_batch("a", "b", "c", target="orders")) == 3
    assert transport.sent == [["a", "b", "c"], ["b"]]


async def test_refused_entry_is_reported_with_its_index():
    fine, bad = EntryResult(ok=True, message_id="m"), EntryResult(ok=False, code="InvalidMessageContents")
    broker = await connected(Flaky([fine, bad]))
    with pytest.raises(PublishError, match="#1 InvalidMessageContents"):
        await broker.publish_batch("a", "b", target="orders")


def _answers(messages, *bad):
    refused = EntryResult(ok=False, code="InvalidMessageContents")
    return [refused if n in bad else EntryResult(ok=True, message_id=str(n)) for n in range(messages)]


async def test_every_call_of_a_batch_is_made_and_every_refused_message_named():
    transport = Flaky(_answers(10, 0), _answers(10, 2, 3), _answers(5))
    broker = await connected(transport)
    with pytest.raises(PublishError, match=r"3 messages were not taken: #0 .* #12 .* #13 ") as caught:
        await broker.publish_batch(*range(25), target="orders")
    assert [index for index, _ in caught.value.failed] == [0, 12, 13]
    assert [len(call) for call in transport.sent] == [10, 10, 5]


async def test_batch_whose_second_call_cannot_succeed_names_what_was_not_taken_and_stops():
    transport = Flaky(_answers(10, 4), TransportError("AccessDenied", "no", retryable=False))
    broker = await connected(transport)
    with pytest.raises(PublishError) as caught:
        await broker.publish_batch(*range(25), target="orders")
    assert [index for index, _ in caught.value.failed] == [4, *range(10, 25)]
    assert {result.code for _, result in caught.value.failed[1:]} == {"AccessDenied"}
    assert len(transport.sent) == 2


async def test_call_that_cannot_succeed_is_not_repeated():
    transport = Flaky(TransportError("AccessDenied", "", retryable=False))
    broker = await connected(transport)
    with pytest.raises(TransportError, match="AccessDenied"):
        await broker.publish("a", "orders")
    assert len(transport.sent) == 1


async def test_test_broker_runs_handlers_without_a_queue():
    broker = SQSBroker(logger=None)

    @broker.publisher(ARN)
    @broker.subscriber("orders")
    async def on_order(body: dict) -> dict:
        return body | {"seen": True}

    async with TestSQSBroker(broker) as test:
        await test.publish({"id": 1}, "orders")
        on_order.mock.assert_called_once_with({"id": 1})
