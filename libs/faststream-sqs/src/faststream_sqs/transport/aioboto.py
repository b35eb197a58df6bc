"""SQS and SNS through aiobotocore.

Polls have a pool of their own: in a shared one a delete would wait behind them. A call that is refused for
its credentials lets the next one begin with a new session, because botocore never reads again those of files
and variables, nor looks again where there were none.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiobotocore
import botocore
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import ClientError

from faststream_sqs.transport.clients import Clients, SessionFactory
from faststream_sqs.transport.credentials import CREDENTIAL_CODES, RENEWAL_SECONDS
from faststream_sqs.transport.direct import DirectCalls, open_direct
from faststream_sqs.transport.protocol import (
    Attribute,
    EntryResult,
    OutgoingMessage,
    QueueInfo,
    RawMessage,
    TransportError,
)

CONNECT_TIMEOUT_SECONDS = 5
ANSWER_MARGIN_SECONDS = 10  # a poll that answers later than this is given up
CONTROL_TIMEOUT_SECONDS = 10
SERVER_FAULT = 500
USER_AGENT = f"faststream-sqs aiobotocore/{aiobotocore.__version__} Botocore/{botocore.__version__}"


class AiobotocoreTransport:
    """The transport of production: one session, its clients, and the direct calls of a consumer."""

    def __init__(
        self,
        region: str | None = None,
        endpoint_url: str | None = None,
        session_factory: SessionFactory = get_session,
    ) -> None:
        self._clients = Clients(region, endpoint_url, session_factory)
        self._stack: AsyncExitStack | None = None
        self._poll: DirectCalls | None = None
        self._settle: DirectCalls | None = None
        self._control: Any = None
        self._topics: Any = None
        self._sizes = (1, 0.0)
        self._models: Any = None
        self._refused = False
        self._renewed_at = float("-inf")
        self._renewing = asyncio.Lock()
        self._retired: list[tuple[float, AsyncExitStack]] = []

    async def open(self, *, polls: int, wait_seconds: float) -> None:
        """Create the clients; opens no connection yet, so an absent SQS does not fail here."""
        if self._stack is None:
            self._sizes = (polls, wait_seconds)
            async with _translated():
                await self._open()

    async def _open(self) -> None:
        polls, wait_seconds = self._sizes
        session, pool = self._clients.session_factory(), 2 * polls + 10
        if self._models is None:
            self._models = session.get_component("data_loader")
        else:  # those of the services take 10 MB and most of the time
            session.register_component("data_loader", self._models)
        (control, topics), stack = await self._clients.open(
            ("sqs", _config(pool=pool, read_timeout=CONTROL_TIMEOUT_SECONDS)),
            ("sns", _config(pool=10, read_timeout=CONTROL_TIMEOUT_SECONDS)),
            session=session,
        )
        answer_within = wait_seconds + ANSWER_MARGIN_SECONDS
        try:
            self._poll = await _direct(stack, session, control, pool=polls + 2, seconds=answer_within)
            self._settle = await _direct(stack, session, control, pool=pool, seconds=CONTROL_TIMEOUT_SECONDS)
        except BaseException:
            await stack.aclose()
            raise
        self._control, self._topics, self._stack = control, topics, stack

    async def close(self) -> None:
        """Close the clients and their pools."""
        async with self._renewing:
            stack, self._stack = self._stack, None
            self._poll = self._settle = self._control = self._topics = None
            retired, self._retired = self._retired, []
        for old in (*(stack for _, stack in retired), *((stack,) if stack is not None else ())):
            await old.aclose()

    @asynccontextmanager
    async def _calling(self) -> AsyncIterator[None]:
        try:
            async with _translated():
                if self._refused or self._retired:
                    await self._renew()
                yield
        except TransportError as error:
            self._refused = self._refused or error.code in CREDENTIAL_CODES
            raise

    async def _renew(self) -> None:
        """Replace clients that were refused; the old ones stay open until calls under way must have ended."""
        async with self._renewing:
            now = asyncio.get_running_loop().time()
            if self._refused and self._stack is not None and now - self._renewed_at >= RENEWAL_SECONDS:
                self._renewed_at = now
                old = self._stack
                await self._open()
                self._refused = False
                self._retired.append((now, old))
            longest = self._sizes[1] + 2 * ANSWER_MARGIN_SECONDS
            while self._retired and self._retired[0][0] < now - longest:
                _, unused = self._retired.pop(0)
                await unused.aclose()

    async def resolve(self, queue: str) -> QueueInfo:
        """Find the queue's URL and, where its attributes may be read, its dead-letter queue or its fault."""
        async with self._calling():
            return await self._resolve(queue)

    async def _resolve(self, queue: str) -> QueueInfo:
        control = self._opened(self._control)
        url = queue if "://" in queue else (await control.get_queue_url(QueueName=queue))["QueueUrl"]
        try:
            answer = await control.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
        except ClientError as error:
            if _code(error) in {"AccessDenied", "AccessDeniedException"}:
                return QueueInfo(url)
            raise
        policy = json.loads(answer.get("Attributes", {}).get("RedrivePolicy", "{}"))
        arn = policy.get("deadLetterTargetArn", "")
        if not arn:
            return QueueInfo(url)
        _, _, _, _, account, name = arn.split(":", 5)
        try:
            async with _translated():
                target = await control.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
        except TransportError as error:
            if error.about(name).retryable:
                raise
            return QueueInfo(url, dead_letter_fault=str(error))
        return QueueInfo(url, target["QueueUrl"])

    async def count(self, queue_url: str) -> int:
        """Ask for the approximate number."""
        name = "ApproximateNumberOfMessages"
        async with _translated():
            answer = await self._opened(self._control).get_queue_attributes(
                QueueUrl=queue_url, AttributeNames=[name]
            )
            return int(answer.get("Attributes", {}).get(name, 0))

    async def receive(
        self, queue_url: str, *, limit: int, wait_seconds: float, visibility: int
    ) -> list[RawMessage]:
        """One long poll, without retries: the poller has its own back-off."""
        async with self._calling():
            answer = await self._opened(self._poll).call(
                "ReceiveMessage",
                {
                    "QueueUrl": queue_url,
                    "MaxNumberOfMessages": limit,
                    "WaitTimeSeconds": int(wait_seconds),
                    "VisibilityTimeout": visibility,
                    "MessageSystemAttributeNames": ["All"],
                    "MessageAttributeNames": ["All"],
                },
            )
            return [_raw(message) for message in answer.get("Messages", ())]

    async def delete(self, queue_url: str, receipts: Sequence[str]) -> list[EntryResult]:
        """Delete in one call."""
        entries = [{"Id": str(i), "ReceiptHandle": receipt} for i, receipt in enumerate(receipts)]
        async with self._calling():
            answer = await self._opened(self._settle).call(
                "DeleteMessageBatch", {"QueueUrl": queue_url, "Entries": entries}
            )
            return _results(answer, len(entries))

    async def change_visibility(
        self, queue_url: str, changes: Sequence[tuple[str, int]]
    ) -> list[EntryResult]:
        """Change in one call."""
        entries = [
            {"Id": str(i), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
            for i, (receipt, seconds) in enumerate(changes)
        ]
        async with self._calling():
            answer = await self._opened(self._settle).call(
                "ChangeMessageVisibilityBatch", {"QueueUrl": queue_url, "Entries": entries}
            )
            return _results(answer, len(entries))

    async def send(self, queue_url: str, messages: Sequence[OutgoingMessage]) -> list[EntryResult]:
        """Send in one call."""
        entries = [{"MessageBody": m.body, **_entry(i, m)} for i, m in enumerate(messages)]
        for entry, message in zip(entries, messages, strict=True):
            if message.delay_seconds:
                entry["DelaySeconds"] = message.delay_seconds
        async with self._calling():
            answer = await self._opened(self._control).send_message_batch(QueueUrl=queue_url, Entries=entries)
            return _results(answer, len(entries))

    async def publish(self, topic_arn: str, messages: Sequence[OutgoingMessage]) -> list[EntryResult]:
        """Publish in one call."""
        entries = [{"Message": m.body, **_entry(i, m)} for i, m in enumerate(messages)]
        for entry, message in zip(entries, messages, strict=True):
            if message.subject:
                entry["Subject"] = message.subject
        async with self._calling():
            answer = await self._opened(self._topics).publish_batch(
                TopicArn=topic_arn, PublishBatchRequestEntries=entries
            )
            return _results(answer, len(entries))

    @staticmethod
    def _opened(client: Any) -> Any:
        if client is None:
            raise TransportError("NotOpen", "the transport is closed; connect the broker first")
        return client


def _config(*, pool: int, read_timeout: float) -> AioConfig:
    return AioConfig(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=read_timeout,
        max_pool_connections=pool,
        retries={"total_max_attempts": 1, "mode": "standard"},  # ours know locks and entries
        parameter_validation=False,
        user_agent=USER_AGENT,  # botocore's own is put together anew for each call: a tenth of its time
        request_checksum_calculation="when_required",
        disable_request_compression=True,
        account_id_endpoint_mode="disabled",
    )


async def _direct(
    stack: AsyncExitStack, session: AioSession, client: Any, *, pool: int, seconds: float
) -> DirectCalls:
    timeouts = (CONNECT_TIMEOUT_SECONDS, seconds)
    return await open_direct(stack, session, client, pool=pool, timeouts=timeouts, user_agent=USER_AGENT)


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except TransportError:
        raise
    except ClientError as error:
        raise _refusal(error) from error
    except Exception as error:  # botocore raises classes of its own, of the network and of Python
        raise TransportError(_kind(error), str(error)) from error


def _kind(error: Exception) -> str:
    """The code of an error without one; botocore has no class for credentials that stay expired."""
    expired = isinstance(error, RuntimeError) and "credentials" in str(error)
    return "ExpiredToken" if expired else type(error).__name__


def _refusal(error: ClientError) -> TransportError:
    code = _code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    retryable = status >= SERVER_FAULT or any(word in code for word in ("Throttl", "TooManyRequests", "Slow"))
    return TransportError(code, str(error), retryable=retryable)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def _raw(message: Mapping[str, Any]) -> RawMessage:
    attributes = {
        name: Attribute(
            base64.b64decode(value["BinaryValue"])
            if "BinaryValue" in value
            else value.get("StringValue", ""),
            value.get("DataType", "String"),
        )
        for name, value in message.get("MessageAttributes", {}).items()
    }
    return RawMessage(
        message_id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message.get("Body", ""),
        attributes=attributes,
        system=message.get("Attributes", {}),
    )


def _entry(index: int, message: OutgoingMessage) -> dict[str, Any]:
    entry: dict[str, Any] = {"Id": str(index)}
    if message.attributes:
        entry["MessageAttributes"] = {name: _attribute(a) for name, a in message.attributes.items()}
    if message.group_id is not None:
        entry["MessageGroupId"] = message.group_id
    if message.dedup_id is not None:
        entry["MessageDeduplicationId"] = message.dedup_id
    return entry


def _attribute(attribute: Attribute) -> dict[str, Any]:
    key = "BinaryValue" if isinstance(attribute.value, bytes) else "StringValue"
    return {"DataType": attribute.data_type, key: attribute.value}


def _results(answer: Mapping[str, Any], count: int) -> list[EntryResult]:
    missing = EntryResult(
        ok=False, code="NoResult", detail="the answer does not name this entry", retryable=True
    )
    results = [missing] * count
    for entry in answer.get("Successful", ()):
        results[int(entry["Id"])] = EntryResult(ok=True, message_id=entry.get("MessageId", ""))
    for entry in answer.get("Failed", ()):
        results[int(entry["Id"])] = EntryResult(
            ok=False,
            code=entry.get("Code", ""),
            detail=entry.get("Message", ""),
            retryable=not entry.get("SenderFault", False),
        )
    return results
