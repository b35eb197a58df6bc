"""Bodies that are too large for SQS, kept in S3: a claim check in the format of AWS's extended clients.

The key is the hash of the body, so that a repeated publish stores nothing new. Objects are never deleted
here: a dead letter or another subscriber may still need them. Give the bucket a lifecycle rule of more
than 14 days, the longest that a message lives in a dead-letter queue.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from faststream_sqs.message import SQSMessage
from faststream_sqs.produce.sizing import size_of
from faststream_sqs.schemas import LargePayload
from faststream_sqs.transport.clients import Clients, SessionFactory
from faststream_sqs.transport.credentials import CREDENTIAL_CODES, RENEWAL_SECONDS
from faststream_sqs.transport.protocol import Attribute, OutgoingMessage

POINTER = "software.amazon.payloadoffloading.PayloadS3Pointer"
POINTERS = {POINTER, "com.amazon.sqs.javamessaging.MessageS3Pointer"}
SIZE_ATTRIBUTE = "ExtendedPayloadSize"
ABSENT_CODES = {"NoSuchKey", "NoSuchBucket", "404"}
T = TypeVar("T")


class PayloadError(Exception):
    """The body of a message could not be fetched; trying again may help."""


class MissingPayloadError(PayloadError):
    """The body of a message is not there, or not where it may be fetched from: the message is parked."""


class ObjectStore(Protocol):
    """Where bodies are kept."""

    async def open(self) -> None:
        """Prepare; harmless when already open."""
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        """Store an object; raises `PayloadError`."""
        ...

    async def get(self, bucket: str, key: str) -> bytes:
        """Fetch an object; raises `MissingPayloadError` when there is none, else `PayloadError`."""
        ...


@dataclass(slots=True, eq=False)
class _Opened:
    client: Any
    stack: AsyncExitStack
    calls: int = 0


class S3Objects:
    """Objects in S3.

    A call that is refused for its credentials is repeated with a new client, which reads them anew; one every
    few seconds is made at most. The client before stays open until its calls have ended.
    """

    def __init__(
        self,
        region: str | None = None,
        endpoint_url: str | None = None,
        session_factory: SessionFactory = get_session,
    ) -> None:
        self._clients = Clients(region, endpoint_url, session_factory)
        self._current: _Opened | None = None
        self._retired: set[_Opened] = set()
        self._renewed_at = float("-inf")
        self._renewing = asyncio.Lock()

    async def open(self) -> None:
        """Create the client."""
        if self._current is None:
            self._current = await self._open()

    async def close(self) -> None:
        """Close it, and those that it replaced."""
        async with self._renewing:
            current, self._current = self._current, None
            opened, self._retired = self._retired, set()
        for each in (*opened, *((current,) if current is not None else ())):
            await each.stack.aclose()

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        """One call."""

        async def call(client: Any) -> None:
            await client.put_object(Bucket=bucket, Key=key, Body=body)

        try:
            await self._called(call)
        except PayloadError:
            raise
        except Exception as error:
            raise PayloadError(f"cannot store s3://{bucket}/{key}: {error}") from error

    async def get(self, bucket: str, key: str) -> bytes:
        """One call and its body."""

        async def call(client: Any) -> bytes:
            answer = await client.get_object(Bucket=bucket, Key=key)
            async with answer["Body"] as stream:
                return bytes(await stream.read())

        try:
            return await self._called(call)
        except PayloadError:
            raise
        except Exception as error:
            if _code(error) in ABSENT_CODES:
                raise MissingPayloadError(f"there is no s3://{bucket}/{key}") from error
            raise PayloadError(f"cannot fetch s3://{bucket}/{key}: {error}") from error

    async def _called(self, call: Callable[[Any], Awaitable[T]]) -> T:
        opened = self._current
        try:
            return await self._with(opened, call)
        except Exception as error:
            if _code(error) not in CREDENTIAL_CODES or not await self._replaced(opened):
                raise
        return await self._with(self._current, call)

    async def _with(self, opened: _Opened | None, call: Callable[[Any], Awaitable[T]]) -> T:
        if opened is None:
            raise PayloadError("the object store is closed; connect the broker first")
        opened.calls += 1
        try:
            return await call(opened.client)
        finally:
            opened.calls -= 1
            await self._close_unused()

    async def _replaced(self, refused: _Opened | None) -> bool:
        """Whether there is another client by now than the one that was refused."""
        async with self._renewing:
            now = asyncio.get_running_loop().time()
            if self._current is refused and refused is not None and now - self._renewed_at >= RENEWAL_SECONDS:
                self._renewed_at = now
                self._current = await self._open()
                self._retired.add(refused)
                await self._close_unused()
            return self._current is not refused

    async def _open(self) -> _Opened:
        (client,), stack = await self._clients.open(("s3", None))
        return _Opened(client, stack)

    async def _close_unused(self) -> None:
        for unused in [opened for opened in self._retired if not opened.calls]:
            self._retired.discard(unused)
            await unused.stack.aclose()


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return type(error).__name__


class Payloads:
    """Offloads what is too large on the way out and restores it on the way in."""

    def __init__(self, options: LargePayload, objects: ObjectStore) -> None:
        self._options = options
        self._readable = {options.bucket, *options.read_from}
        self.objects = objects

    async def offload(self, message: OutgoingMessage, limit: int) -> OutgoingMessage:
        """The message itself, or one that points to its stored body when it has more than `limit` bytes."""
        if size_of(message) <= min(limit, self._options.threshold or limit):
            return message
        body = message.body.encode()
        key = self._options.prefix + hashlib.sha256(body).hexdigest()
        await self.objects.put(self._options.bucket, key, body)
        pointer = [POINTER, {"s3BucketName": self._options.bucket, "s3Key": key}]
        attributes = {**message.attributes, SIZE_ATTRIBUTE: Attribute(str(len(body)), "Number")}
        return replace(message, body=json.dumps(pointer, separators=(",", ":")), attributes=attributes)

    async def restore(self, message: SQSMessage) -> None:
        """Give a message that points to its body that body, or note on it why that is impossible.

        Only the configured buckets are read: whoever can send to the queue must not choose.
        """
        place = pointer_of(message.body) if message.unreadable is None else None
        if place is None:
            return
        try:
            if place[0] not in self._readable:
                raise MissingPayloadError(f"the bucket {place[0]} is not one to read bodies from")
            message.body = await self.objects.get(*place)
        except PayloadError as error:
            message.cannot_be_read(error)


def pointer_of(body: bytes) -> tuple[str, str] | None:
    """Bucket and key that a body names; None when it is an ordinary body."""
    if not body.startswith(b"[") or b"s3BucketName" not in body:
        return None
    try:
        name, place = json.loads(body)
        bucket, key = place["s3BucketName"], place["s3Key"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    known = name in POINTERS and isinstance(bucket, str) and isinstance(key, str)
    return (bucket, key) if known else None
