import asyncio
import json
from datetime import timedelta

import pytest
from dwh_contracts.canonical import canonical_json
from dwh_contracts.claim_check import claim_check_message
from dwh_contracts.clock import SystemClock
from dwh_contracts.quarantine import QuarantineReason
from dwh_contracts.testing import a_job_event
from dwh_contracts.times import format_time
from dwh_runtime.aws import AwsUnavailable
from dwh_runtime.broker import make_broker, subscription
from dwh_runtime.intake import open_intake
from dwh_runtime.outcomes import Duplicate, Fatal, Poison, Retry, Unavailable
from dwh_runtime.settings import ServiceSettings, load
from dwh_runtime.testing import MemoryAws
from faststream_sqs import Batch
from faststream_sqs.annotations import BatchMessage, Message
from faststream_sqs.testing.memory import MemoryTransport
from faststream_sqs.transport.protocol import OutgoingMessage


class StoreAwayError(Exception):
    pass


def event(run="run-1", **over):
    body = a_job_event(
        environment="local", job_run_id=run, timestamp=format_time(SystemClock().now()), **over
    )
    return json.dumps(body)


class Line:
    """A real broker over an in-memory queue, with an intake and a handler that a test scripts."""

    def __init__(self, environ, *, batch=None):
        self.transport = MemoryTransport()
        self.transport.create_queue("dlq")
        environ.setenv("DWH_QUEUE_URL", self.transport.create_queue("q", dead_letters="dlq"))
        environ.setenv("DWH_DRAIN_SECONDS", "2")
        self.settings = load(ServiceSettings)
        self.broker = make_broker(self.settings, transport=self.transport)
        self.aws = MemoryAws()
        self.records = []
        self.handled = []
        self.outcomes = []
        self.pressed = False
        self.intake = open_intake(
            self.settings,
            "test",
            self.broker,
            quarantine=self.quarantine,
            checks={},
            unavailable=(StoreAwayError, AwsUnavailable),
            pressed=lambda: self.pressed,
            objects=self.aws.objects,
        )
        options = subscription(self.settings, batch=batch) | {"wait_time": 0.05}
        if batch is None:

            @self.broker.subscriber(self.settings.queue_url, **options)
            async def on_message(message: Message) -> None:
                await self.intake.handle(message, self.handle)

        else:

            @self.broker.subscriber(self.settings.queue_url, **options)
            async def on_batch(message: BatchMessage) -> None:
                await self.intake.handle_batch(message, self.handle_all)

    async def quarantine(self, record):
        await asyncio.sleep(0)  # others run meanwhile, as with a real store
        self.records.append(record)

    async def handle(self, event, _origin):
        self.handled.append(event.job_run_id)
        if self.outcomes:
            outcome = self.outcomes.pop(0)
            if outcome is not None:
                raise outcome

    async def handle_all(self, received):
        self.handled += [item.event.job_run_id for item in received]
        return [self.outcomes.pop(0) if self.outcomes else None for _ in received]

    async def send(self, *bodies):
        await self.transport.send(self.settings.queue_url, [OutgoingMessage(body) for body in bodies])

    async def until(self, holds):
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110 - the broker under test announces nothing
                await asyncio.sleep(0.01)

    def left(self):
        return self.transport.bodies("q")

    async def __aenter__(self):
        await self.broker.start()
        return self

    async def __aexit__(self, *_):
        await self.broker.stop()


@pytest.fixture
async def line(environ):
    return Line(environ)


@pytest.fixture
async def batch_line(environ):
    return Line(environ, batch=Batch(max_size=10, max_wait=0.05))


async def test_a_handled_message_is_deleted(line):
    async with line:
        await line.send(event())
        await line.until(lambda: not line.left())
    assert (line.handled, line.records) == (["run-1"], [])


@pytest.mark.parametrize(
    ("body", "reason"),
    [("{", QuarantineReason.NOT_JSON), ("[]", QuarantineReason.NOT_AN_OBJECT)],
)
async def test_a_refused_message_is_quarantined_with_its_bytes_and_deleted(line, body, reason):
    async with line:
        await line.send(body)
        await line.until(lambda: not line.left())
    (record,) = line.records
    assert (record.raw, record.reason, record.service, line.handled) == (body, reason, "test", [])


async def test_a_duplicate_is_deleted(line):
    line.outcomes = [Duplicate()]
    async with line:
        await line.send(event())
        await line.until(lambda: not line.left())
    assert line.records == []


async def test_poison_found_by_the_handler_is_quarantined(line):
    line.outcomes = [Poison(QuarantineReason.CONFLICTING_CONTENT, "event_id", "other content")]
    async with line:
        await line.send(event())
        await line.until(lambda: not line.left())
    assert [record.reason for record in line.records] == [QuarantineReason.CONFLICTING_CONTENT]


@pytest.mark.parametrize("outcome", [Retry("not yet", after=0.0), Retry("held", after=0, counted=False)])
async def test_a_retried_message_comes_back(line, outcome):
    line.outcomes = [outcome]
    async with line:
        await line.send(event())
        await line.until(lambda: not line.left())
    assert line.handled == ["run-1", "run-1"]


async def test_a_message_that_fails_at_its_fifth_receive_is_parked_with_the_reason(line):
    line.outcomes = [Retry("not yet", after=0.0)] * 4 + [ValueError("a bug")]
    async with line:
        await line.send(event())
        await line.until(lambda: line.transport.bodies("dlq"))
        await line.until(lambda: not line.left())
    details = json.loads(line.transport.messages("dlq")[0].attributes["parking"].text)
    assert len(line.handled) == 5
    assert (details["exception_type"], details["message"], details["attempts"]) == ("ValueError", "a bug", 5)


async def test_an_absent_dependency_closes_the_gate_and_never_parks(line):
    line.outcomes = [StoreAwayError("503")]
    async with line:
        await line.send(event())
        await line.until(lambda: line.intake.gate.away)
        assert line.intake.gate.away == {"StoreAwayError": "503"}
        assert line.broker.health().detail["q"]["paused"]
        await line.intake.gate.look()
        await line.until(lambda: not line.left())
    assert line.handled == ["run-1", "run-1"]
    assert line.transport.bodies("dlq") == []


def test_a_minute_without_a_dependency_uses_six_of_the_ten_receives_that_a_queue_grants():
    waits = [Unavailable.wait_seconds(receive) for receive in range(1, 11)]
    assert sum(waits[:5]) >= 60
    assert waits == sorted(waits)
    assert waits[-1] == 60


async def test_a_fatal_outcome_stops_the_service_and_keeps_the_message(line):
    line.outcomes = [Fatal("cannot go on")] * 100
    async with line:
        background = [asyncio.ensure_future(work()) for work in line.intake.background]
        await line.send(event())
        done, _ = await asyncio.wait(background, return_when=asyncio.FIRST_EXCEPTION, timeout=5)
        (failed,) = done
        assert str(failed.exception()) == "cannot go on"
        for task in background:
            task.cancel()
    assert len(line.left()) == 1


async def test_a_handler_that_takes_too_long_is_cut_and_its_message_comes_back(environ):
    environ.setenv("DWH_HANDLER_SECONDS", "0.05")
    line = Line(environ)
    cut = []

    async def slow(_event, _origin):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut.append(True)
            raise

    line.handle = slow
    async with line:
        await line.send(event())
        await line.until(lambda: cut)
    assert len(line.left()) == 1


@pytest.mark.parametrize(
    ("away", "pressed", "parked"), [(True, False, 0), (False, True, 0), (False, False, 1)]
)
async def test_a_handler_cut_at_the_last_receive_parks_its_message_unless_a_dependency_was_to_blame(
    environ, away, pressed, parked
):
    environ.setenv("DWH_HANDLER_SECONDS", "0.05")
    line = Line(environ)
    line.pressed = pressed
    cut = []

    async def slow(_event, _origin):
        if away:
            await line.intake.gate.trip("store", "no answer")
            await line.intake.gate.look()  # it is back, and the handler still waits for its answer
        try:
            await asyncio.Event().wait()
        finally:
            cut.append(True)

    line.handle = slow
    await line.send(event())
    queue = line.settings.queue_url
    for _ in range(4):
        [received] = await line.transport.receive(queue, limit=1, wait_seconds=0, visibility=30)
        await line.transport.change_visibility(queue, [(received.receipt, 0)])
    async with line:
        await line.until(lambda: cut and (not parked or not line.left()))
    assert len(line.transport.bodies("dlq")) == parked
    assert len(line.left()) == 1 - parked


async def test_one_bad_item_does_not_fail_its_batch(batch_line):
    line = batch_line
    async with line:
        await line.send(event("a"), "{", event("b"))
        await line.until(lambda: not line.left())
    assert (line.handled, len(line.records)) == (["a", "b"], 1)


async def test_items_of_a_batch_are_settled_one_by_one(batch_line):
    line = batch_line
    line.outcomes = [None, Retry("not yet", after=0.0), Duplicate()]
    async with line:
        await line.send(event("a"), event("b"), event("c"))
        await line.until(lambda: not line.left())
    assert line.handled == ["a", "b", "c", "b"]


async def test_a_hundred_refusals_in_a_row_stop_the_queue_within_a_batch(batch_line):
    line = batch_line
    await line.send(*["{"] * 150)
    async with line:
        running = asyncio.ensure_future(line.intake.brake.run())
        await line.until(lambda: line.intake.brake.engaged)
        await asyncio.sleep(0.2)
        assert len(line.records) == 100
        running.cancel()
    assert len(line.left()) >= 50
    assert line.transport.in_flight("q") == 0


async def test_an_event_of_the_far_future_is_refused_by_the_services_clock(line):
    body = json.loads(event())
    body["timestamp"] = format_time(SystemClock().now() + timedelta(days=2))
    async with line:
        await line.send(json.dumps(body))
        await line.until(lambda: not line.left())
    assert [record.reason for record in line.records] == [QuarantineReason.TIME_OUT_OF_RANGE]


async def test_an_event_that_travels_by_claim_check_is_fetched(line):
    body = json.loads(event())
    uri = "s3://dwh-local-data/events/large.json"
    await line.aws.objects.put(uri, canonical_json(body))
    async with line:
        await line.send(json.dumps(claim_check_message(body, uri, canonical_json(body))))
        await line.until(lambda: not line.left())
    assert (line.handled, line.records) == (["run-1"], [])


async def test_a_claim_check_without_its_object_is_quarantined(line):
    body = json.loads(event())
    pointing = claim_check_message(body, "s3://dwh-local-data/events/absent.json", canonical_json(body))
    async with line:
        await line.send(json.dumps(pointing))
        await line.until(lambda: not line.left())
    assert [record.reason for record in line.records] == [QuarantineReason.CLAIM_CHECK_MISSING]


async def test_a_claim_check_waits_while_its_bucket_is_away(line):
    body = json.loads(event())
    uri = "s3://dwh-local-data/events/large.json"
    await line.aws.objects.put(uri, canonical_json(body))
    line.aws.objects.failures.append(AwsUnavailable("503"))
    async with line:
        await line.send(json.dumps(claim_check_message(body, uri, canonical_json(body))))
        await line.until(lambda: line.intake.gate.away)
        await line.intake.gate.look()
        await line.until(lambda: not line.left())
    assert (line.handled, line.records) == (["run-1"], [])
