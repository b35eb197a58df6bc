import asyncio

import pytest
from faststream_sqs.consume.delivery import Delivery, DeliveryState
from faststream_sqs.consume.settler import Remembered, Settler
from faststream_sqs.testing import RecordingControl, eventually
from faststream_sqs.transport.protocol import EntryResult, RawMessage, TransportError


class ScriptedTransport:
    """Answers deletes and changes with what it is told; an exception fails the whole call."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    async def delete(self, url, receipts):
        return self._answer([*receipts])

    async def change_visibility(self, url, changes):
        return self._answer([*changes])

    def _answer(self, entries):
        self.calls.append(entries)
        answer = self.answers.pop(0) if self.answers else [EntryResult(ok=True)] * len(entries)
        if isinstance(answer, Exception):
            raise answer
        return answer


def held(number, until=60.0):
    return Delivery(RawMessage(f"m{number}", f"r{number}", "{}"), "q", RecordingControl(), lock_until=until)


def a_settler(transport, clock, linger=0.005):
    return Settler(transport, lambda: "memory://q", clock, linger=linger)


async def test_twenty_five_deletes_take_three_calls(clock):
    transport = ScriptedTransport()
    settler = a_settler(transport, clock)
    done = [settler.delete(held(n)) for n in range(25)]
    assert all(await asyncio.gather(*done))
    assert [len(call) for call in transport.calls] == [10, 10, 5]


async def test_failed_entries_are_tried_again_alone(clock):
    again = EntryResult(ok=False, code="InternalError", retryable=True)
    fine = EntryResult(ok=True)
    transport = ScriptedTransport([fine, again, fine])
    settler = a_settler(transport, clock)
    done = [settler.delete(held(n)) for n in range(3)]
    await eventually(lambda: clock.sleepers == 1)
    await clock.advance(1)
    assert all(await asyncio.gather(*done))
    assert transport.calls[1] == ["r1"]


async def test_throttled_call_is_repeated_as_a_whole(clock):
    transport = ScriptedTransport(TransportError("ThrottlingException", ""))
    settler = a_settler(transport, clock)
    done = settler.delete(held(1))
    await eventually(lambda: clock.sleepers == 1)
    await clock.advance(1)
    assert await done is True
    assert transport.calls == [["r1"], ["r1"]]


@pytest.mark.parametrize(
    "answer",
    [RuntimeError("a bug of the SDK"), [], [EntryResult(ok=True)] * 3],
    ids=["error", "too few", "too many"],
)
async def test_call_that_fails_in_an_unforeseen_way_is_repeated_and_told(clock, answer):
    transport, told = ScriptedTransport(answer), []
    settler = Settler(
        transport, lambda: "memory://q", clock, linger=0.005, on_failure=lambda *why: told.append(why)
    )
    done = [settler.delete(held(n)) for n in range(2)]
    await eventually(lambda: clock.sleepers == 1)
    await clock.advance(1)
    assert await asyncio.gather(*done) == [True, True]
    assert [code for code, _ in told] == ["RuntimeError" if isinstance(answer, Exception) else "ValueError"]


async def test_requests_end_unconfirmed_when_even_the_report_of_a_failure_fails(clock):
    def cannot_tell(_code, _detail):
        raise OSError("no space left for logs")

    transport = ScriptedTransport(TransportError("ServiceUnavailable", ""))
    settler = Settler(transport, lambda: "memory://q", clock, linger=0.005, on_failure=cannot_tell)
    done = [settler.delete(held(n)) for n in range(2)]
    assert await asyncio.gather(*done) == [False, False]
    assert settler.lag == 0


async def test_invalid_receipt_is_final(clock):
    transport = ScriptedTransport([EntryResult(ok=False, code="ReceiptHandleIsInvalid")])
    assert await a_settler(transport, clock).delete(held(1)) is False
    assert len(transport.calls) == 1


async def test_id_is_remembered_while_its_delete_waits_for_another_try(clock):
    """Its lock may run out meanwhile, and SQS hand the message out again before the delete has ended."""
    settler = a_settler(ScriptedTransport(TransportError("ServiceUnavailable", "")), clock)
    done = settler.delete(held(1))
    await eventually(lambda: clock.sleepers == 1)
    assert "m1" in settler.remembered
    await clock.advance(1)
    assert await done is True
    assert "m1" not in settler.remembered


async def test_delete_ends_with_its_lock_and_the_id_is_remembered(clock):
    transport = ScriptedTransport(*[TransportError("ServiceUnavailable", "")] * 100)
    settler = a_settler(transport, clock)
    done = settler.delete(held(1, until=30))
    await eventually(lambda: clock.sleepers == 1)
    while not done.done():
        await clock.advance(5)
    assert done.result() is False
    assert "m1" in settler.remembered


async def test_confirmed_delete_is_not_remembered(clock):
    settler = a_settler(ScriptedTransport(), clock)
    await settler.delete(held(1))
    assert "m1" not in settler.remembered


async def test_beat_of_a_settled_message_is_not_sent(clock):
    transport = ScriptedTransport()
    settler, delivery = a_settler(transport, clock), held(1)
    done = settler.change(delivery, 60, beat=True)
    delivery.state = DeliveryState.SETTLING
    assert await done is True
    assert transport.calls == []


async def test_flush_sends_without_lingering(clock):
    settler = a_settler(ScriptedTransport(), clock, linger=60)
    done = settler.delete(held(1))
    await settler.flush()
    assert done.done()


async def test_lag_is_the_age_of_the_oldest_unanswered_request(clock):
    settler = a_settler(ScriptedTransport(), clock, linger=60)
    settler.delete(held(1))
    await clock.advance(7)
    assert settler.lag == 7
    await settler.close()
    assert settler.lag == 0


def test_remembered_ids_are_bounded():
    remembered = Remembered(limit=2)
    for name in "abc":
        remembered.add(name)
    assert [name in remembered for name in "abc"] == [False, True, True]
