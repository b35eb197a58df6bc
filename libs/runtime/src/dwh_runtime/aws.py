"""Topics, queues, objects and keys: the only place outside the broker that talks to AWS.

Session, credentials and endpoints come from the standard `AWS_*` environment. Every call either took
effect or raises an `AwsError` that says whether trying again helps; a time-out may have taken effect.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import unquote, urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

Context = Callable[[], Mapping[str, str]]
"""Attributes of every message that is sent now."""
_RETRYABLE_STATUS = 500
_THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "SlowDown"}
)
# A call that times out may have taken effect: sending is tried again only under a claim that says so (G3).
_ATTEMPTS = {"sns": 1, "sqs": 1, "s3": 3, "kms": 3}


# AwsError
# ├── AwsUnavailable   connection, throttling, server error: try again, it may even have taken effect
# ├── AwsRefused       wrong name, size or right: trying again does not help
# └── ObjectMissing    there is no such object
class AwsError(Exception):
    """A call to AWS that did not succeed."""


class AwsUnavailable(AwsError):  # noqa: N818 - named for what happened
    """Try again later."""


class AwsRefused(AwsError):  # noqa: N818 - named for what happened
    """Trying again does not help."""


class ObjectMissing(AwsError):  # noqa: N818 - named for what happened
    """No object at this address."""


@dataclass(frozen=True, slots=True)
class FetchedObject:
    """An object's bytes and the tag of exactly this version."""

    body: bytes
    etag: str


class Topics(Protocol):
    """SNS."""

    async def publish(
        self,
        topic_arn: str,
        body: bytes,
        attributes: Mapping[str, str],
        subject: str | None = None,
        message_structure: str | None = None,
    ) -> str:
        """Publish one message and return its id; `message_structure` "json" splits by protocol."""
        ...


class Queues(Protocol):
    """SQS, for sending; receiving is the broker's."""

    async def send(
        self, queue_url: str, body: bytes, attributes: Mapping[str, str], delay_seconds: int = 0
    ) -> str:
        """Send one message and return its id."""
        ...

    async def depth(self, queue_url: str) -> dict[str, int]:
        """About how many messages are `visible`, `in_flight` and `delayed`."""
        ...


class Objects(Protocol):
    """S3 by `s3://`, the file system by `file://`."""

    async def get(self, uri: str, etag: str | None = None) -> FetchedObject | None:
        """Read an object; None when it still has the given tag.

        Raises:
            ObjectMissing: there is none.
        """
        ...

    async def put(self, uri: str, body: bytes) -> str:
        """Write an object and return its tag."""
        ...

    async def names(self, folder: str) -> list[str]:
        """Addresses of all objects below a folder, sorted; empty when there is no such folder."""
        ...


class Keys(Protocol):
    """KMS, for signatures by ECDSA over P-256 with SHA-256."""

    async def sign(self, key_id: str, message: bytes) -> bytes:
        """The signature of a message, in DER; the key is named by ARN or alias."""
        ...

    async def public_key(self, key_id: str) -> bytes:
        """The public half of a key, in DER."""
        ...


class Aws(Protocol):
    """The three ports together; `AwsClients` and `dwh_runtime.testing.MemoryAws` are the two of them."""

    @property
    def topics(self) -> Topics:
        """SNS."""
        ...

    @property
    def queues(self) -> Queues:
        """SQS."""
        ...

    @property
    def objects(self) -> Objects:
        """S3 and files."""
        ...


class AwsClients:
    """The real ones. An async context manager; nothing works outside of it."""

    topics: Topics
    queues: Queues
    objects: Objects
    keys: Keys

    def __init__(self, region: str, context: Context = dict) -> None:
        """`context` gives attributes for every message, such as that of the trace it belongs to."""
        self._stack = AsyncExitStack()
        clients = {name: _Client(name, region, self._stack) for name in _ATTEMPTS}
        self.topics = _Sns(clients["sns"], context)
        self.queues = _Sqs(clients["sqs"], context)
        self.objects = _ObjectsByScheme({"s3": _S3(clients["s3"]), "file": LocalFiles()})
        self.keys = _Kms(clients["kms"])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; calling it twice is harmless."""
        await self._stack.aclose()


class _Client:
    """Made at its first use: few processes use all, and one of S3 alone takes 5 MB."""

    def __init__(self, name: str, region: str, stack: AsyncExitStack) -> None:
        self._name = name
        self._region = region
        self._stack = stack
        self._making = asyncio.Lock()
        self._made: Any = None

    async def get(self) -> Any:
        async with self._making:
            if self._made is None:
                config = _config(_ATTEMPTS[self._name])
                made = get_session().create_client(self._name, region_name=self._region, config=config)
                self._made = await self._stack.enter_async_context(made)
        return self._made


def _config(attempts: int) -> AioConfig:
    return AioConfig(
        connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": attempts}
    )


class _Sns:
    def __init__(self, client: _Client, context: Context) -> None:
        self._client = client
        self._context = context

    async def publish(
        self,
        topic_arn: str,
        body: bytes,
        attributes: Mapping[str, str],
        subject: str | None = None,
        message_structure: str | None = None,
    ) -> str:
        request = {
            "TopicArn": topic_arn,
            "Message": body.decode(),
            "MessageAttributes": _attributes({**attributes, **self._context()}),
        }
        if subject is not None:
            request["Subject"] = subject
        if message_structure is not None:
            request["MessageStructure"] = message_structure
        with _translated(topic_arn):
            answer = await (await self._client.get()).publish(**request)
        return str(answer["MessageId"])


class _Sqs:
    def __init__(self, client: _Client, context: Context) -> None:
        self._client = client
        self._context = context

    async def send(
        self, queue_url: str, body: bytes, attributes: Mapping[str, str], delay_seconds: int = 0
    ) -> str:
        with _translated(queue_url):
            answer = await (await self._client.get()).send_message(
                QueueUrl=queue_url,
                MessageBody=body.decode(),
                MessageAttributes=_attributes({**attributes, **self._context()}),
                DelaySeconds=delay_seconds,
            )
        return str(answer["MessageId"])

    async def depth(self, queue_url: str) -> dict[str, int]:
        names = {
            "visible": "ApproximateNumberOfMessages",
            "in_flight": "ApproximateNumberOfMessagesNotVisible",
            "delayed": "ApproximateNumberOfMessagesDelayed",
        }
        with _translated(queue_url):
            answer = await (await self._client.get()).get_queue_attributes(
                QueueUrl=queue_url, AttributeNames=list(names.values())
            )
        return {state: int(answer["Attributes"][name]) for state, name in names.items()}


class _S3:
    def __init__(self, client: _Client) -> None:
        self._client = client

    async def get(self, uri: str, etag: str | None = None) -> FetchedObject | None:
        bucket, key = _bucket_and_key(uri)
        condition = {"IfNoneMatch": etag} if etag else {}
        with _translated(uri):
            try:
                answer = await (await self._client.get()).get_object(Bucket=bucket, Key=key, **condition)
            except ClientError as error:
                if _status(error) == 304:  # noqa: PLR2004 - HTTP's number for "not modified"
                    return None
                raise
            async with answer["Body"] as stream:
                return FetchedObject(await stream.read(), str(answer["ETag"]))

    async def put(self, uri: str, body: bytes) -> str:
        bucket, key = _bucket_and_key(uri)
        with _translated(uri):
            answer = await (await self._client.get()).put_object(Bucket=bucket, Key=key, Body=body)
        return str(answer["ETag"])

    async def names(self, folder: str) -> list[str]:
        bucket, key = _bucket_and_key(folder)
        prefix = f"{key.rstrip('/')}/" if key else ""
        found: list[str] = []
        with _translated(folder):
            client = await self._client.get()
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            async for page in pages:
                found += [f"s3://{bucket}/{each['Key']}" for each in page.get("Contents", [])]
        return sorted(found)


class _Kms:
    def __init__(self, client: _Client) -> None:
        self._client = client

    async def sign(self, key_id: str, message: bytes) -> bytes:
        with _translated(key_id):
            client = await self._client.get()
            answer = await client.sign(
                KeyId=key_id, Message=message, MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256"
            )
        return bytes(answer["Signature"])

    async def public_key(self, key_id: str) -> bytes:
        with _translated(key_id):
            client = await self._client.get()
            answer = await client.get_public_key(KeyId=key_id)
        return bytes(answer["PublicKey"])


class LocalFiles:
    """`file://` objects; the tag is the content's SHA-256."""

    async def get(self, uri: str, etag: str | None = None) -> FetchedObject | None:
        """As `Objects.get`."""
        try:
            body = await asyncio.to_thread(_path(uri).read_bytes)
        except (FileNotFoundError, IsADirectoryError):
            raise ObjectMissing(uri) from None
        except OSError as error:
            raise AwsRefused(f"{uri}: {error.strerror}") from error
        current = hashlib.sha256(body).hexdigest()
        return None if current == etag else FetchedObject(body, current)

    async def put(self, uri: str, body: bytes) -> str:
        """As `Objects.put`; a reader never sees half a file."""

        def write() -> None:
            path = _path(uri)
            path.parent.mkdir(parents=True, exist_ok=True)
            half = path.with_name(f".{path.name}.part")
            half.write_bytes(body)
            half.replace(path)

        await asyncio.to_thread(write)
        return hashlib.sha256(body).hexdigest()

    async def names(self, folder: str) -> list[str]:
        """As `Objects.names`; files that are being written are left out."""

        def walk() -> list[str]:
            found = _path(folder).rglob("*")
            return sorted(each.as_uri() for each in found if each.is_file() and each.name[0] != ".")

        return await asyncio.to_thread(walk)


class _ObjectsByScheme:
    def __init__(self, by_scheme: Mapping[str, Objects]) -> None:
        self._by_scheme = by_scheme

    async def get(self, uri: str, etag: str | None = None) -> FetchedObject | None:
        return await self._of(uri).get(uri, etag)

    async def put(self, uri: str, body: bytes) -> str:
        return await self._of(uri).put(uri, body)

    async def names(self, folder: str) -> list[str]:
        return await self._of(folder).names(folder)

    def _of(self, uri: str) -> Objects:
        scheme = urlsplit(uri).scheme
        if scheme not in self._by_scheme:
            raise AwsRefused(f"{uri}: only s3:// and file:// addresses can be read")
        return self._by_scheme[scheme]


def _attributes(values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}


def _bucket_and_key(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def _translated(target: str) -> "Iterator[None]":
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in {"NoSuchKey", "404"}:
            raise ObjectMissing(target) from error
        if code in _THROTTLED or _status(error) >= _RETRYABLE_STATUS:
            raise AwsUnavailable(f"{target}: {code}") from error
        raise AwsRefused(f"{target}: {code}: {error.response.get('Error', {}).get('Message', '')}") from error
    except (BotoCoreError, TimeoutError, OSError) as error:
        raise AwsUnavailable(f"{target}: {type(error).__name__}: {error}") from error
