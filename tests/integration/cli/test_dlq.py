"""`dwh dlq` over the AWS stand-in."""

import asyncio
import json
import sys

import pytest
from dwh_cli.__main__ import main
from faststream_sqs.parking import parked_copy
from faststream_sqs.testing import a_delivery
from faststream_sqs.transport.aioboto import AiobotocoreTransport
from faststream_sqs.transport.protocol import Attribute, OutgoingMessage

pytestmark = pytest.mark.integration

BODIES = ['{"job_name":  "j", "status": "DONE"}', "{no json", '{"ü": "\\u00fc"}\n']
ATTRIBUTES = {"kind": Attribute("new"), "headers": Attribute('{"tenant":"ü"}'), "n": Attribute("1", "Number")}


@pytest.fixture
def dwh(aws_environment, environment, monkeypatch, capsys):
    monkeypatch.setenv("DWH_ENVIRONMENT", environment)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["dwh", "dlq", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


def through(work):
    """What a coroutine of a transport returns; each call has its own loop, as the command has."""

    async def run():
        transport = AiobotocoreTransport()
        await transport.open(polls=1, wait_seconds=1)
        try:
            return await work(transport)
        finally:
            await transport.close()

    return asyncio.run(run())


@pytest.fixture
def letters(names, aws_environment):
    """Three parked messages of alerts, and one that SQS moved itself."""

    async def park(transport):
        url = (await transport.resolve(names.queue_url("alerts"))).dead_letter_url
        copies = []
        for body in BODIES:
            delivery = a_delivery(
                body, queue="alerts", attributes=ATTRIBUTES, message_id=f"m{len(copies)}", receive_count=5
            )
            delivery.failure = KeyError("price")
            copies.append(parked_copy(delivery, reason="", now=1_760_000_000.0, fifo=False))
        results = await transport.send(url, [*copies, OutgoingMessage("[]")])
        return [result.message_id for result in results]

    return through(park)


def received(queue):
    async def receive(transport):
        url = (await transport.resolve(queue)).url
        return await transport.receive(url, limit=10, wait_seconds=2, visibility=30)

    return {(m.body, tuple(sorted(m.attributes.items()))) for m in through(receive)}


def test_letters_are_counted_looked_at_chosen_and_sent_back_byte_for_byte(dwh, letters, environment, names):
    code, out, _ = dwh("list", "--json")
    counts = {row["queue"]: row["messages"] for row in json.loads(out)["items"]}
    assert (code, counts) == (
        0,
        {f"dwh-{environment}-{q}": 0 for q in ("indexer", "orchestrator", "approvals", "mwaa-triggers")}
        | {f"dwh-{environment}-alerts": 4},
    )

    code, out, _ = dwh("peek", "alerts", "--json")
    shown = {item["body"]: item for item in json.loads(out)["items"]}
    assert (code, set(shown)) == (0, {*BODIES, "[]"})
    assert shown["{no json"]["check"].startswith("not-json")
    assert shown["[]"]["check"].startswith("not-an-object")
    assert shown["[]"]["why"].startswith("moved by SQS")
    assert shown["{no json"]["why"] == "the handler failed: KeyError: 'price'"
    assert shown[BODIES[2]]["attributes"] == {"kind": "new", "n": "1", "tenant": "ü"}
    _, out, _ = dwh("peek", "alerts", "--limit", "1")
    assert "KeyError" in out or "moved by SQS" in out

    chosen = ("redrive", "alerts", "--match", "exception_type=KeyError", "--match", "details.message_id=m1")
    code, out, _ = dwh(*chosen, "--dry-run")
    assert (code, out.splitlines()[-1]) == (0, f"dwh-{environment}-alerts: 1 would be sent back, 3 stay")
    code, out, _ = dwh(*chosen)
    assert (code, out) == (0, f"dwh-{environment}-alerts: 1 sent back, 3 stay\n")
    assert dwh(*chosen)[0] == 1  # none is left
    code, out, _ = dwh("redrive", "alerts", "--json")
    assert (code, len(json.loads(out)["moved"])) == (0, 3)
    wanted = {(body, tuple(sorted(ATTRIBUTES.items()))) for body in BODIES}
    assert received(names.queue_url("alerts")) == wanted | {("[]", ())}
    assert dwh("peek", "alerts")[:2] == (0, f"dwh-{environment}-alerts has no dead letters\n")


@pytest.mark.parametrize(
    ("variables", "arguments", "code", "text"),
    [
        ({}, ["peek", "nowhere"], 1, "nowhere: AWS.SimpleQueueService.NonExistentQueue"),
        ({}, ["redrive", "alerts-dlq-dlq"], 1, "has no redrive policy"),
        ({}, ["redrive", "alerts", "--match", "x"], 2, "--match: 'x' is not key=value"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, ["list"], 3, "http://127.0.0.1:9"),
        ({"AWS_REGION": ""}, ["list"], 2, "AWS_REGION is not set"),
    ],
    ids=["no queue", "no dead letters", "match", "no server", "no region"],
)
def test_mistake_ends_in_one_line_with_its_code(dwh, names, monkeypatch, variables, arguments, code, text):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ended, _, err = dwh(*arguments)
    [line] = err.splitlines()
    assert (ended, text in line) == (code, True), line
