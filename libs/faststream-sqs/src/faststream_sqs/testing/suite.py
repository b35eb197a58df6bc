"""What this package relies on in SQS and SNS: one suite for every `Transport`.

Subclasses provide the fixtures `transport` and `topology`, and set `exempt` to the claims their server is
known to break, with the reason. Those are expected to fail: one that holds again is reported.
"""
# ruff: noqa: S101, PLR2004 - a suite asserts, and the bound stands in the assertion

import asyncio
from typing import ClassVar, Protocol

import pytest

from faststream_sqs.parking import parked_copy
from faststream_sqs.redrive import redrive
from faststream_sqs.testing.control import a_delivery
from faststream_sqs.transport.protocol import (
    Attribute,
    OutgoingMessage,
    RawMessage,
    Transport,
    TransportError,
)
from faststream_sqs.transport.remedies import NO_QUEUE

TEN_ATTRIBUTES = {f"a{n}": Attribute(str(n), "Number") for n in range(7)} | {
    "bytes": Attribute(bytes(range(256)), "Binary"),
    "headers": Attribute('{"tenant":"\u00fc"}'),
    "traceparent": Attribute("00-a-b-01"),
}


class Topology(Protocol):
    """Creates what a claim needs; every name is fresh for its test."""

    async def queue(
        self, name: str, *, dead_letters: str | None = None, max_receives: int = 10, fifo: bool = False
    ) -> str:
        """Create a queue and return its URL."""
        ...

    async def delete(self, queue_url: str) -> None:
        """Delete a queue."""
        ...

    async def topic(self, name: str) -> str:
        """Create a topic and return its ARN."""
        ...

    async def subscribe(self, topic_arn: str, queue_url: str, *, raw: bool) -> None:
        """Let the queue receive what the topic gets."""
        ...


async def receive(
    transport: Transport, url: str, *, wait: float = 3, visibility: int = 30, limit: int = 10
) -> list[RawMessage]:
    """One receive with the suite's defaults."""
    return await transport.receive(url, limit=limit, wait_seconds=wait, visibility=visibility)


class QueueSemanticsSuite:
    """Claims about queues and topics, none of which knows the server it is tried on."""

    exempt: ClassVar[dict[str, str]] = {}

    @pytest.fixture(autouse=True)
    def _expect_exempt_to_fail(self, request: pytest.FixtureRequest) -> None:
        reason = self.exempt.get(request.node.originalname)
        if reason is not None:
            request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))

    async def test_message_arrives_with_body_and_attributes(
        self, transport: Transport, topology: Topology
    ) -> None:
        """Text survives as it is; the first receive counts 1."""
        url = await topology.queue("orders")
        picture = Attribute(bytes(range(256)), "Binary")
        attributes = {"kind": Attribute("new"), "size": Attribute("3", "Number"), "picture": picture}
        (sent,) = await transport.send(url, [OutgoingMessage('{"a": "ü"}', attributes)])
        (received,) = await receive(transport, url)
        assert (received.message_id, received.body) == (sent.message_id, '{"a": "ü"}')
        assert received.attributes == attributes
        assert received.receive_count == 1

    async def test_unsettled_message_returns_after_its_visibility(
        self, transport: Transport, topology: Topology
    ) -> None:
        """Hidden first, back with the next count later."""
        url = await topology.queue("orders")
        await transport.send(url, [OutgoingMessage("x")])
        await receive(transport, url, visibility=1)
        assert await receive(transport, url, wait=0) == []
        (again,) = await receive(transport, url, wait=5)
        assert again.receive_count == 2

    async def test_deleted_message_is_gone(self, transport: Transport, topology: Topology) -> None:
        """Also after its visibility."""
        url = await topology.queue("orders")
        await transport.send(url, [OutgoingMessage("x")])
        (received,) = await receive(transport, url, visibility=1)
        (result,) = await transport.delete(url, [received.receipt])
        assert result.ok
        assert await receive(transport, url, wait=2) == []

    async def test_visibility_zero_shows_a_message_at_once(
        self, transport: Transport, topology: Topology
    ) -> None:
        """A release hands the message to the next receive."""
        url = await topology.queue("orders")
        await transport.send(url, [OutgoingMessage("x")])
        (received,) = await receive(transport, url)
        (result,) = await transport.change_visibility(url, [(received.receipt, 0)])
        assert result.ok
        assert [m.receive_count for m in await receive(transport, url)] == [2]

    async def test_extended_message_stays_hidden(self, transport: Transport, topology: Topology) -> None:
        """A beat counts from the moment of the call."""
        url = await topology.queue("orders")
        await transport.send(url, [OutgoingMessage("x")])
        (received,) = await receive(transport, url, visibility=1)
        await transport.change_visibility(url, [(received.receipt, 30)])
        assert await receive(transport, url, wait=2) == []

    async def test_bad_receipt_fails_alone(self, transport: Transport, topology: Topology) -> None:
        """Results are per entry, in order, and say that trying again is useless."""
        url = await topology.queue("orders")
        await transport.send(url, [OutgoingMessage("x")])
        (received,) = await receive(transport, url)
        bad, good = await transport.change_visibility(url, [("no-such-receipt", 10), (received.receipt, 10)])
        assert (bad.ok, bad.retryable, good.ok) == (False, False, True)

    async def test_delete_with_a_bad_receipt_fails_alone(
        self, transport: Transport, topology: Topology
    ) -> None:
        """The good one of the same call is gone; a receipt that never was is no success."""
        url = await topology.queue("orders")
        await transport.send(url, [OutgoingMessage("x")])
        (received,) = await receive(transport, url)
        bad, good = await transport.delete(url, ["no-such-receipt", received.receipt])
        assert (bad.ok, bad.retryable, good.ok) == (False, False, True)
        assert await transport.count(url) == 0

    async def test_messages_of_one_fifo_group_come_in_one_receive(
        self, transport: Transport, topology: Topology
    ) -> None:
        """In their order."""
        url = await topology.queue("orders", fifo=True)
        for body in ("1", "2", "3"):
            await transport.send(url, [OutgoingMessage(body, group_id="a", dedup_id=body)])
        assert [m.body for m in await receive(transport, url)] == ["1", "2", "3"]

    async def test_message_received_too_often_goes_to_the_dead_letters(
        self, transport: Transport, topology: Topology
    ) -> None:
        """Native redrive, which stays on for crashes."""
        dead = await topology.queue("dead")
        url = await topology.queue("orders", dead_letters=dead, max_receives=2)
        await transport.send(url, [OutgoingMessage("x")])
        for _ in range(2):
            (received,) = await receive(transport, url)
            await transport.change_visibility(url, [(received.receipt, 0)])
        assert await receive(transport, url, wait=0) == []
        assert [m.body for m in await receive(transport, dead)] == ["x"]

    async def test_queue_names_its_dead_letters(self, transport: Transport, topology: Topology) -> None:
        """Found through the redrive policy."""
        dead = await topology.queue("dead")
        url = await topology.queue("orders", dead_letters=dead)
        found = await transport.resolve(url.rsplit("/", 1)[-1])
        assert (found.url, found.dead_letter_url) == (url, dead)

    async def test_queue_whose_dead_letter_queue_is_missing_is_found_and_says_so(
        self, transport: Transport, topology: Topology
    ) -> None:
        """Sending and receiving need no dead letters; the fault names the queue that is missing."""
        dead = await topology.queue("dead")
        url = await topology.queue("orders", dead_letters=dead)
        await topology.delete(dead)
        found = await transport.resolve(url.rsplit("/", 1)[-1])
        assert (found.url, found.dead_letter_url) == (url, None)
        assert found.dead_letter_fault.startswith(f"{dead.rsplit('/', 1)[-1]}: ")
        assert NO_QUEUE in found.dead_letter_fault

    async def test_long_poll_wakes_for_a_new_message(self, transport: Transport, topology: Topology) -> None:
        """Well before its wait is over."""
        url = await topology.queue("orders")
        poll = asyncio.create_task(receive(transport, url, wait=20))
        await transport.send(url, [OutgoingMessage("x")])
        async with asyncio.timeout(3):
            assert [m.body for m in await poll] == ["x"]

    async def test_ten_messages_travel_in_one_call(self, transport: Transport, topology: Topology) -> None:
        """Results come in the order of the request."""
        url = await topology.queue("orders")
        results = await transport.send(url, [OutgoingMessage(str(n)) for n in range(10)])
        ids = [result.message_id for result in results]
        seen: dict[str, str] = {}
        while len(seen) < 10:
            seen |= {m.message_id: m.body for m in await receive(transport, url)}
        assert [seen[i] for i in ids] == [str(n) for n in range(10)]

    async def test_fifo_group_waits_for_its_head(self, transport: Transport, topology: Topology) -> None:
        """Nothing of a group is shown while its first message is in flight; other groups go on."""
        url = await topology.queue("orders", fifo=True)
        for group, body in (("a", "1"), ("a", "2"), ("b", "3")):
            await transport.send(url, [OutgoingMessage(body, group_id=group, dedup_id=body)])
        (head,) = await receive(transport, url, limit=1)
        assert head.body == "1"
        assert [m.body for m in await receive(transport, url)] == ["3"]
        await transport.delete(url, [head.receipt])
        assert [m.body for m in await receive(transport, url)] == ["2"]

    async def test_fifo_drops_a_repeated_deduplication_id(
        self, transport: Transport, topology: Topology
    ) -> None:
        """Within five minutes."""
        url = await topology.queue("orders", fifo=True)
        for _ in range(2):
            await transport.send(url, [OutgoingMessage("x", group_id="a", dedup_id="same")])
        assert [m.body for m in await receive(transport, url)] == ["x"]
        assert await receive(transport, url, wait=0) == []

    @pytest.mark.parametrize("raw", [True, False])
    async def test_topic_reaches_its_queue(self, transport: Transport, topology: Topology, raw: bool) -> None:  # noqa: FBT001
        """Raw: the body itself; else an envelope that holds it."""
        url, arn = await topology.queue("orders"), await topology.topic("news")
        await topology.subscribe(arn, url, raw=raw)
        await transport.publish(arn, [OutgoingMessage("hello", {"kind": Attribute("new")})])
        (received,) = await receive(transport, url)
        assert (received.body == "hello") is raw
        assert "hello" in received.body
        assert ("kind" in received.attributes) is raw

    async def test_delayed_message_is_hidden_at_first(self, transport: Transport, topology: Topology) -> None:
        """For about as long as asked."""
        url = await topology.queue("orders")
        await transport.send(url, [OutgoingMessage("x", delay_seconds=1)])
        assert await receive(transport, url, wait=0) == []
        assert [m.body for m in await receive(transport, url, wait=5)] == ["x"]

    async def test_receipt_of_an_earlier_receive_extends_nothing(
        self, transport: Transport, topology: Topology
    ) -> None:
        """Whoever lost a message learns it from his next beat."""
        url = await topology.queue("orders")
        await transport.send(url, [OutgoingMessage("x")])
        (first,) = await receive(transport, url, visibility=1)
        (second,) = await receive(transport, url, wait=5)
        stale, held = await transport.change_visibility(url, [(first.receipt, 30), (second.receipt, 30)])
        assert (stale.ok, stale.retryable, held.ok) == (False, False, True)

    async def test_released_head_of_a_fifo_group_comes_before_the_rest(
        self, transport: Transport, topology: Topology
    ) -> None:
        """Redelivery keeps the order of the group."""
        url = await topology.queue("orders", fifo=True)
        for body in ("1", "2"):
            await transport.send(url, [OutgoingMessage(body, group_id="a", dedup_id=body)])
        (head,) = await receive(transport, url, limit=1)
        await transport.change_visibility(url, [(head.receipt, 0)])
        assert [m.body for m in await receive(transport, url, limit=1)] == ["1"]

    async def test_message_of_900_kilobytes_travels_whole(
        self, transport: Transport, topology: Topology
    ) -> None:
        """A queue takes one mebibyte."""
        url = await topology.queue("orders")
        (sent,) = await transport.send(url, [OutgoingMessage("x" * 900_000)])
        assert sent.ok
        assert [len(m.body) for m in await receive(transport, url)] == [900_000]

    async def test_parked_message_is_redriven_byte_for_byte(
        self, transport: Transport, topology: Topology
    ) -> None:
        """Body and ten attributes, one of them of bytes; nothing stays behind."""
        dead = await topology.queue("dead")
        url = await topology.queue("orders", dead_letters=dead)
        body = '{"a":  1, "\u00fc": "\\u00fc"}\n'
        parked = parked_copy(a_delivery(body, attributes=TEN_ATTRIBUTES), reason="", now=1.0, fifo=False)
        await transport.send(dead, [parked])
        done = await redrive(transport, url)
        (back,) = await receive(transport, url)
        assert (len(done.moved), back.body, dict(back.attributes)) == (1, body, TEN_ATTRIBUTES)
        assert await receive(transport, dead, wait=0) == []

    async def test_redriven_message_keeps_its_fifo_group(
        self, transport: Transport, topology: Topology
    ) -> None:
        """It joins the end of its group."""
        dead = await topology.queue("dead", fifo=True)
        url = await topology.queue("orders", dead_letters=dead, fifo=True)
        await transport.send(dead, [OutgoingMessage("x", group_id="a", dedup_id="1")])
        await redrive(transport, url)
        (back,) = await receive(transport, url)
        assert (back.body, back.system["MessageGroupId"]) == ("x", "a")

    async def test_missing_queue_is_an_error_with_a_remedy(self, transport: Transport) -> None:
        """By the code of SQS, and final."""
        with pytest.raises(TransportError) as caught:
            await transport.resolve("there-is-no-such-queue")
        assert not caught.value.retryable
        assert NO_QUEUE in str(caught.value)

    async def test_visible_messages_are_counted(self, transport: Transport, topology: Topology) -> None:
        """Those in flight are not."""
        url = await topology.queue("orders")
        await transport.send(url, [OutgoingMessage(str(n)) for n in range(3)])
        await receive(transport, url, limit=1)
        assert await transport.count(url) == 2
