import asyncio

import pytest
from faststream_sqs import Coalesce, InvalidMessageError, PublishError, Queue, SQSBroker, SQSResponse, Topic
from faststream_sqs.testing import JumpingClock, MemoryTransport, eventually
from faststream_sqs.transport.protocol import EntryResult, OutgoingMessage, TransportError

SOON = Coalesce(max_wait=0.02)


class Counting(MemoryTransport):
    """Notes what each call carried; entries whose body is `bad` fail, `busy` once."""

    def __init__(self):
        super().__init__()
        self.sent = []
        self.busy = {"busy"}
        self.fails_after = (1_000, None)  # so many calls, then each raises this

    async def send(self, queue_url, messages):
        self.sent.append([m.body for m in messages])
        calls, error = self.fails_after
        if len(self.sent) > calls:
            raise error
        return [self._answer(m.body) for m in messages]

    def _answer(self, body):
        if body in self.busy:
            self.busy.remove(body)
            return EntryResult(ok=False, code="Busy", retryable=True)
        return EntryResult(ok=body != "bad", code="InvalidMessageContents", message_id=f"id-{body}")


@pytest.fixture
async def transport():
    transport = Counting()
    transport.create_queue("out")
    return transport


@pytest.fixture
async def broker(transport):
    broker = SQSBroker(transport=transport, logger=None)
    await broker.connect()
    return broker


async def test_twenty_five_publishes_at_a_time_take_three_calls(broker, transport):
    publisher = broker.publisher("out", coalesce=SOON)
    ids = await asyncio.gather(*(publisher.publish(str(n)) for n in range(25)))
    assert ids == [f"id-{n}" for n in range(25)]
    assert [len(call) for call in transport.sent] == [10, 10, 5]


async def test_a_call_stays_below_the_bytes_of_its_target(broker, transport):
    publisher = broker.publisher("out", coalesce=SOON)
    await asyncio.gather(*(publisher.publish("x" * 300_000) for _ in range(4)))
    assert [len(call) for call in transport.sent] == [3, 1]


async def test_refused_entry_fails_its_own_caller_only(broker, transport):
    publisher = broker.publisher("out", coalesce=SOON)
    answers = await asyncio.gather(
        *(publisher.publish(body) for body in ("a", "bad", "c")), return_exceptions=True
    )
    assert (answers[0], answers[2]) == ("id-a", "id-c")
    assert isinstance(answers[1], PublishError)
    assert len(transport.sent) == 1


async def test_entry_that_may_succeed_later_is_sent_again_alone(broker, transport):
    publisher = broker.publisher("out", coalesce=SOON)
    assert await asyncio.gather(*(publisher.publish(b) for b in ("a", "busy"))) == ["id-a", "id-busy"]
    assert transport.sent == [["a", "busy"], ["busy"]]


@pytest.mark.parametrize("retryable", [True, False])
async def test_repetition_that_fails_reaches_only_those_not_yet_taken(transport, retryable):
    clock = JumpingClock()
    broker = SQSBroker(transport=transport, logger=None, clock=clock)
    await broker.connect()
    transport.fails_after = (1, TransportError("InternalError", "", retryable=retryable))
    publisher = broker.publisher("out", coalesce=SOON)
    *taken, busy, refused = await asyncio.gather(
        *(publisher.publish(body) for body in ("a", "b", "d", "busy", "bad")), return_exceptions=True
    )
    assert taken == ["id-a", "id-b", "id-d"]
    assert (type(busy), busy.code, busy.target) == (TransportError, "InternalError", "out")
    assert type(refused) is PublishError
    assert transport.sent == [["a", "b", "d", "busy", "bad"], *[["busy"]] * (4 if retryable else 1)]


async def test_failed_call_reaches_every_caller(broker, transport):
    transport.fails_after = (0, TransportError("AccessDenied", "", retryable=False))
    publisher = broker.publisher("out", coalesce=SOON)
    answers = await asyncio.gather(*(publisher.publish(b) for b in "ab"), return_exceptions=True)
    assert [answer.code for answer in answers] == ["AccessDenied", "AccessDenied"]


async def test_message_that_can_never_be_sent_does_not_hold_up_the_others(broker, transport):
    publisher = broker.publisher("out", coalesce=SOON)
    good, bad = await asyncio.gather(
        publisher.publish("a"), publisher.publish("x" * 1_100_000), return_exceptions=True
    )
    assert good == "id-a"
    assert isinstance(bad, InvalidMessageError)


async def test_return_values_of_handlers_share_calls(transport):
    transport.create_queue("in")
    broker = SQSBroker(transport=transport, logger=None, graceful_timeout=2)

    @broker.publisher("out", coalesce=SOON)
    @broker.subscriber("in", wait_time=0.05)
    async def on_message(body: int) -> int:
        return body

    await MemoryTransport.send(transport, "in", [OutgoingMessage(str(n)) for n in range(10)])
    async with broker:
        await broker.start()
        await eventually(lambda: transport.bodies("in") == [])
    assert sorted(body for call in transport.sent for body in call) == [str(n) for n in range(10)]
    assert len(transport.sent) <= 2


async def test_stop_sends_what_waits_for_company(broker, transport):
    publisher = broker.publisher("out", coalesce=Coalesce(max_wait=60))
    waiting = asyncio.create_task(publisher.publish("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await broker.stop()
    assert await waiting == "id-a"


class Mute(Counting):
    """Takes calls and never answers."""

    async def send(self, queue_url, messages):
        self.sent.append([m.body for m in messages])
        await asyncio.Event().wait()


@pytest.mark.parametrize("handling", [False, True], ids=["alone", "beside a handler"])
async def test_stop_ends_in_time_though_sqs_does_not_answer_and_tells_the_publishers(handling):
    transport = Mute()
    transport.create_queue("out")
    transport.create_queue("in")
    broker = SQSBroker(transport=transport, logger=None, graceful_timeout=0.5)
    publisher = broker.publisher("out", coalesce=Coalesce(max_wait=0))
    waiting = broker.publisher("out", coalesce=Coalesce(max_wait=60))
    if handling:

        @broker.publisher("out")
        @broker.subscriber("in", wait_time=0.05)
        async def on_message(body: int) -> int:
            return body

        await MemoryTransport.send(transport, "in", [OutgoingMessage("1")])
    await broker.start()
    callers = [asyncio.create_task(publisher.publish(body)) for body in "ab"]
    await eventually(lambda: transport.sent if not handling else ["1"] in transport.sent)
    callers.append(asyncio.create_task(waiting.publish("c")))
    await asyncio.sleep(0)
    before = asyncio.get_running_loop().time()
    await broker.stop()
    assert asyncio.get_running_loop().time() - before < 2
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert [str(answer) for answer in answers] == [
        "out: Stopped: the broker stopped before an answer came; whether it was taken is unknown"
    ] * 3


async def test_without_coalescing_each_publish_is_a_call(broker, transport):
    publisher = broker.publisher("out", coalesce=None)
    await asyncio.gather(*(publisher.publish(str(n)) for n in range(3)))
    assert [len(call) for call in transport.sent] == [1, 1, 1]


async def test_group_and_deduplication_ids_come_from_the_body():
    transport = MemoryTransport()
    transport.create_queue("out.fifo")
    broker = SQSBroker(transport=transport, logger=None)
    await broker.connect()
    publisher = broker.publisher("out.fifo", group_id=lambda b: b["job"], dedup_id=lambda b: b["id"])
    for event in ({"job": "a", "id": "1"}, {"job": "b", "id": "2"}, {"job": "a", "id": "1"}):
        await publisher.publish(event)
    assert [(m.group_id, m.dedup_id) for m in transport.messages("out.fifo")] == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize("returned", [None, SQSResponse(None, group_id="a")], ids=["none", "response"])
async def test_handler_that_returns_none_publishes_nothing_and_is_asked_for_no_ids(transport, returned):
    for name in ("in", "out.fifo"):
        transport.create_queue(name)
    broker = SQSBroker(transport=transport, logger=None, graceful_timeout=2)

    @broker.publisher("out.fifo", group_id=lambda body: body["job"], dedup_id=lambda body: body["id"])
    @broker.subscriber("in", wait_time=0.05)
    async def on_message(body: int):
        return returned

    await MemoryTransport.send(transport, "in", [OutgoingMessage("1")])
    async with broker:
        await broker.start()
        await eventually(lambda: transport.bodies("in") == [])
    assert transport.sent == []


@pytest.mark.parametrize(
    ("target", "size"), [(Queue("q"), 2**20), (Topic("arn"), 2**18), (Topic("arn", 2**20), 2**20)]
)
def test_target_knows_its_bytes(target, size):
    assert target.max_bytes == size
