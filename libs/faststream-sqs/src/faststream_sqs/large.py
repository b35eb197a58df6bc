"""Bodies that are too large for SQS, kept in S3: a claim check in the format of AWS's extended clients.

The key is the hash of the body, so that a repeated publish stores nothing new. Objects are never deleted
here: a dead letter or another subscriber may still need them. Give the bucket a lifecycle rule of more
than 14 days, the longest that a message lives in a dead-letter queue.
"""

import hashlib
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Protocol

from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from faststream_sqs.message import SQSMessage
from faststream_sqs.produce.sizing import size_of
from faststream_sqs.schemas import LargePayload
from faststream_sqs.transport.clients import Clients, SessionFactory
from faststream_sqs.transport.protocol import Attribute, OutgoingMessage

POINTER = "software.amazon.payloadoffloading.PayloadS3Pointer"
POINTERS = {POINTER, "com.amazon.sqs.javamessaging.MessageS3Pointer"}
SIZE_ATTRIBUTE = "ExtendedPayloadSize"
ABSENT_CODES = {"NoSuchKey", "NoSuchBucket", "404"}


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


class S3Objects:
    """Objects in S3."""

    def __init__(
        self,
        region: str | None = None,
        endpoint_url: str | None = None,
        session_factory: SessionFactory = get_session,
    ) -> None:
        self._clients = Clients(region, endpoint_url, session_factory)
        self._stack: AsyncExitStack | None = None
        self._client: Any = None

    async def open(self) -> None:
        """Create the client."""
        if self._stack is None:
            (self._client,), self._stack = await self._clients.open(("s3", None))

    async def close(self) -> None:
        """Close it."""
        stack, self._stack, self._client = self._stack, None, None
        if stack is not None:
            await stack.aclose()

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        """One call."""
        try:
            await self._client.put_object(Bucket=bucket, Key=key, Body=body)
        except Exception as error:
            raise PayloadError(f"cannot store s3://{bucket}/{key}: {error}") from error

    async def get(self, bucket: str, key: str) -> bytes:
        """One call and its body."""
        try:
            answer = await self._client.get_object(Bucket=bucket, Key=key)
            async with answer["Body"] as stream:
                return bytes(await stream.read())
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ABSENT_CODES:
                raise MissingPayloadError(f"there is no s3://{bucket}/{key}") from error
            raise PayloadError(f"cannot fetch s3://{bucket}/{key}: {error}") from error
        except Exception as error:
            raise PayloadError(f"cannot fetch s3://{bucket}/{key}: {error}") from error


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
