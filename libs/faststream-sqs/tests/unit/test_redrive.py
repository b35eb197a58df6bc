import json

import pytest
from faststream_sqs import Parking, Retry, SQSBroker
from faststream_sqs.parking import parked_copy
from faststream_sqs.parser import SQSParser
from faststream_sqs.redrive import dead_letter_queues, peek, redrive
from faststream_sqs.testing import JumpingClock, MemoryTransport, a_delivery, eventually
from faststream_sqs.transport.protocol import Attribute, EntryResult, OutgoingMessage, TransportError

TEN = {f"a{n}": Attribute(str(n), "Number") for n in range(7)} | {
    "bytes": Attribute(bytes(range(256)), "Binary"),
    "headers": Attribute('{"tenant":"ü", "correlation_id":"c"}'),
    "traceparent": Attribute("00-a-b-01"),
}


def dead_letters_in(transport):
    transport.create_queue("dead")
    transport.create_queue("orders", dead_letters="dead")
    return transport


@pytest.fixture
def transport():
    return dead_letters_in(MemoryTransport(JumpingClock()))


async def parked(transport, *messages):
    """Messages of `orders`, parked as a consumer would."""
    for message in messages:
        delivery = a_delivery(message.body, attributes=message.attributes, receive_count=5)
        delivery.failure = ValueError(message.body[:20])
        await transport.send("dead", [parked_copy(delivery, reason="", now=1.0, fifo=False)])


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        TEN,
        {"headers": Attribute(b"\xff", "Binary")},
        {"headers": Attribute("5", "Number"), "kind": Attribute("x", "String.custom")},
        {"parking": Attribute("of the sender")},
    ],
    ids=["none", "ten", "binary headers", "typed headers", "own parking"],
)
async def test_redriven_message_is_the_original_byte_for_byte(transport, attributes):
    original = OutgoingMessage('{"a":  1, "ü": "\\u00fc"}\n', attributes)
    await parked(transport, original)
    done = await redrive(transport, "orders")
    (back,) = transport.messages("orders")
    wanted = {n: a for n, a in attributes.items() if n != "parking"}
    assert (len(done.moved), back.body, dict(back.attributes)) == (1, original.body, wanted)
    assert transport.bodies("dead") == []


async def test_message_is_parked_and_redriven_and_handled_as_it_was():
    transport = dead_letters_in(MemoryTransport())
    broker, fail, seen = SQSBroker(transport=transport, logger=None, graceful_timeout=2), [True], []

    @broker.subscriber("orders", wait_time=0.05, retry=Retry(delays=(0,)), parking=Parking(after=2))
    async def on_order(body: dict):
        if fail[0]:
            raise ValueError("not yet")
        seen.append(body)

    async with broker:
        await broker.start()
        await broker.publish({"id": 1}, "orders", headers={"tenant": "a"})
        await eventually(lambda: transport.bodies("dead"))
        fail[0] = False
        (letter,) = await peek(transport, "orders", limit=1)
        await redrive(transport, "orders", limit=1)
        await eventually(lambda: seen == [{"id": 1}])
    assert (letter.details["message"], letter.details["attempts"]) == ("not yet", 2)


async def test_peek_leaves_every_letter_visible(transport):
    await parked(transport, *(OutgoingMessage(str(n)) for n in range(13)))
    letters = await peek(transport, "orders", limit=12)
    assert [letter.body for letter in letters] == [str(n) for n in range(12)]
    assert await transport.count("memory://queues/dead") == 13


async def test_only_matching_letters_go_back(transport):
    await parked(transport, *(OutgoingMessage(str(n)) for n in range(25)))
    done = await redrive(transport, "orders", match=lambda letter: letter.details["message"] in {"3", "17"})
    assert (transport.bodies("orders"), len(done.moved), len(done.kept)) == (["3", "17"], 2, 23)
    assert await transport.count("memory://queues/dead") == 23


async def test_dry_run_tells_and_moves_nothing(transport):
    await parked(transport, OutgoingMessage("a"), OutgoingMessage("b"))
    done = await redrive(transport, "orders", dry_run=True)
    assert (len(done.moved), transport.bodies("orders")) == (2, [])
    assert await transport.count("memory://queues/dead") == 2


async def test_limit_bounds_what_goes_back(transport):
    await parked(transport, *(OutgoingMessage(str(n)) for n in range(25)))
    done = await redrive(transport, "orders", limit=12)
    assert (len(done.moved), len(transport.bodies("orders"))) == (12, 12)
    assert await transport.count("memory://queues/dead") == 13


async def test_letter_that_is_parked_again_meanwhile_stays(transport):
    delivery = a_delivery("x")
    await transport.send("dead", [parked_copy(delivery, reason="", now=9e9, fifo=False)])
    done = await redrive(transport, "orders")
    assert (done.moved, len(done.kept), transport.bodies("orders")) == ([], 1, [])


class Refusing(MemoryTransport):
    """Takes no message whose body is `bad`."""

    async def send(self, queue_url, messages):
        if not queue_url.endswith("orders"):
            return await super().send(queue_url, messages)
        results = []
        for message in messages:
            if message.body == "bad":
                results.append(EntryResult(ok=False, code="InvalidMessageContents"))
            else:
                results += await super().send(queue_url, [message])
        return results


async def test_refused_letter_stays_with_its_reason():
    transport = dead_letters_in(Refusing(JumpingClock()))
    await parked(transport, OutgoingMessage("good"), OutgoingMessage("bad"))
    done = await redrive(transport, "orders")
    assert (transport.bodies("orders"), transport.bodies("dead")) == (["good"], ["bad"])
    assert list(done.refused.values()) == ["InvalidMessageContents"]
    assert list(done.refused) == done.kept


async def test_queues_with_dead_letters_are_listed_with_their_number(transport):
    await parked(transport, OutgoingMessage("a"), OutgoingMessage("b"))
    (found,) = await dead_letter_queues(transport, ["orders", "dead"])
    assert (found.queue, found.url, found.messages) == ("orders", "memory://queues/dead", 2)


async def test_queue_whose_dead_letters_are_missing_says_so_and_not_that_it_has_no_policy(transport):
    transport.delete_queue("dead")
    with pytest.raises(TransportError, match="dead: ") as told:
        await peek(transport, "orders")
    assert "no redrive policy" not in str(told.value)


async def test_queue_without_dead_letters_says_so(transport):
    with pytest.raises(TransportError, match="dead has no redrive policy"):
        await redrive(transport, "dead")


def test_letter_that_aws_moved_back_is_read_as_it_was():
    delivery = a_delivery("1", attributes={"headers": json.dumps({"tenant": "a"}), "kind": "new"})
    copy = parked_copy(delivery, reason="", now=1.0, fifo=False)
    message = SQSParser().parse(a_delivery(copy.body, attributes=copy.attributes))
    assert message.headers == {"tenant": "a", "kind": "new"}


def test_letter_parked_twice_keeps_its_headers():
    first = parked_copy(a_delivery("1", attributes={"headers": '{"t":"a"}'}), reason="", now=1.0, fifo=False)
    second = parked_copy(a_delivery("1", attributes=first.attributes), reason="", now=2.0, fifo=False)
    assert json.loads(second.attributes["parking"].text)["headers"] == '{"t":"a"}'


async def test_progress_counts_what_was_looked_at(transport):
    await parked(transport, *(OutgoingMessage(str(n)) for n in range(25)))
    heard = []
    await redrive(transport, "orders", match=lambda letter: letter.body != "3", progress=heard.append)
    assert heard == [10, 20, 25]


class Forgetful(MemoryTransport):
    """Hides nothing: every receive brings the same letters, as after a redrive longer than their lock."""

    async def receive(self, queue_url, *, visibility, **asked):
        return await super().receive(queue_url, visibility=0, **asked)


async def test_letters_that_stay_are_looked_at_once_however_long_it_takes():
    transport = dead_letters_in(Forgetful(JumpingClock()))
    await parked(transport, OutgoingMessage("a"), OutgoingMessage("b"))
    done = await redrive(transport, "orders", match=lambda _: False)
    assert (len(done.kept), transport.bodies("dead")) == (2, ["a", "b"])


async def test_missing_queue_is_named_with_its_remedy(transport):
    for look in (peek, redrive):
        with pytest.raises(TransportError, match=r"^absent: .*\(create it"):
            await look(transport, "absent")


# FIFO: a letter that stays holds back those behind it in its group


@pytest.fixture
async def fifo():
    transport = MemoryTransport(JumpingClock())
    transport.create_queue("dead.fifo")
    transport.create_queue("orders.fifo", dead_letters="dead.fifo")
    for n in range(20):
        await transport.send("dead.fifo", [OutgoingMessage(str(n), group_id="a", dedup_id=str(n))])
    return transport


@pytest.mark.parametrize("dry_run", [False, True])
async def test_letters_behind_ten_that_stay_in_their_group_are_counted_as_not_looked_at(fifo, dry_run):
    done = await redrive(
        fifo, "orders.fifo", match=lambda letter: letter.body in {"15", "16"}, dry_run=dry_run
    )
    assert (done.moved, len(done.kept), done.unseen) == ([], 10, 10)
    assert len(fifo.bodies("dead.fifo")) == 20


async def test_all_letters_of_a_group_go_back_in_their_order(fifo):
    done = await redrive(fifo, "orders.fifo")
    assert (len(done.moved), done.unseen) == (20, 0)
    assert fifo.bodies("orders.fifo") == [str(n) for n in range(20)]


async def test_letters_that_stay_hold_back_no_other_group(fifo):
    for n in range(12):
        await fifo.send("dead.fifo", [OutgoingMessage(f"b{n}", group_id="b", dedup_id=f"b{n}")])
    done = await redrive(fifo, "orders.fifo", match=lambda letter: letter.body.startswith("b"))
    assert (fifo.bodies("orders.fifo"), done.unseen) == ([f"b{n}" for n in range(12)], 10)


# letters that were sent back and cannot be deleted


class Sticky(MemoryTransport):
    """Deletes fail by letter, or as whole calls, so many times."""

    def __init__(self, *failures):
        super().__init__(JumpingClock())
        self.failures = list(failures)

    async def delete(self, queue_url, receipts):
        if not self.failures:
            return await super().delete(queue_url, receipts)
        failure = self.failures.pop(0)
        if isinstance(failure, TransportError):
            raise failure
        results = await super().delete(queue_url, receipts[1:])
        return [failure, *results]


BUSY = EntryResult(ok=False, code="InternalError", retryable=True)
GONE = EntryResult(ok=False, code="ReceiptHandleIsInvalid")


@pytest.mark.parametrize("failures", [[BUSY], [BUSY, BUSY], [TransportError("ThrottlingException", "")]])
async def test_letter_whose_delete_failed_is_deleted_at_the_next_attempt(failures):
    transport = dead_letters_in(Sticky(*failures))
    await parked(transport, *(OutgoingMessage(str(n)) for n in range(3)))
    done = await redrive(transport, "orders", clock=JumpingClock())
    assert (len(done.moved), done.undeleted) == (3, {})
    assert (transport.bodies("orders"), transport.bodies("dead")) == (["0", "1", "2"], [])


@pytest.mark.parametrize(("failures", "code"), [([BUSY] * 3, "InternalError"), ([GONE], "ReceiptHandle")])
async def test_letter_that_stays_after_it_was_sent_back_is_reported_and_the_others_go_on(failures, code):
    transport = dead_letters_in(Sticky(*failures))
    await parked(transport, *(OutgoingMessage(str(n)) for n in range(13)))
    done = await redrive(transport, "orders", clock=JumpingClock())
    (stuck,) = done.undeleted
    assert code in done.undeleted[stuck]
    assert (stuck, len(done.moved), transport.bodies("dead")) == (done.moved[0], 13, ["0"])


async def test_redrive_that_may_not_delete_sends_no_more_than_ten_and_reports_them():
    transport = dead_letters_in(Sticky(TransportError("AccessDenied", "", retryable=False)))
    await parked(transport, *(OutgoingMessage(str(n)) for n in range(25)))
    done = await redrive(transport, "orders", clock=JumpingClock())
    assert list(done.undeleted) == done.moved
    assert "AccessDenied (allow the call" in done.undeleted[done.moved[0]]
    assert (len(transport.bodies("orders")), len(transport.bodies("dead"))) == (10, 25)


# letters of a parking queue of its own


async def test_letters_of_a_parking_queue_are_reached_by_its_name():
    transport = MemoryTransport()
    transport.create_queue("parked")
    transport.create_queue("orders")
    broker = SQSBroker(transport=transport, logger=None, graceful_timeout=2)

    @broker.subscriber("orders", wait_time=0.05, parking=Parking(after=1, queue="parked"))
    async def on_order(body: dict):
        raise ValueError("not yet")

    async with broker:
        await broker.start()
        await broker.publish({"id": 1}, "orders")
        await eventually(lambda: transport.bodies("parked") and not transport.bodies("orders"))
    (letter,) = await peek(transport, "orders", dead_letters="parked")
    done = await redrive(transport, "orders", dead_letters="parked")
    assert (letter.details["message"], len(done.moved)) == ("not yet", 1)
    assert (transport.bodies("orders"), transport.bodies("parked")) == (['{"id":1}'], [])


async def test_missing_parking_queue_is_named():
    transport = MemoryTransport()
    transport.create_queue("orders")
    for look in (peek, redrive):
        with pytest.raises(TransportError, match=r"^parked: .*\(create it"):
            await look(transport, "orders", dead_letters="parked")
