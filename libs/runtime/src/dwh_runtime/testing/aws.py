"""In-memory topics, queues and objects under the same suite as the real ones."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from dwh_runtime.aws import AwsRefused, FetchedObject, LocalFiles, ObjectMissing


@dataclass(frozen=True, slots=True)
class PublishedMessage:
    """One message on a topic."""

    message_id: str
    topic_arn: str
    body: bytes
    attributes: dict[str, str]
    subject: str | None
    message_structure: str | None


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One message in a queue."""

    message_id: str
    queue_url: str
    body: bytes
    attributes: dict[str, str]
    delay_seconds: int


@dataclass
class MemoryTopics:
    """Records what is published; `failures` are raised first, one per call."""

    published: list[PublishedMessage] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    async def publish(
        self,
        topic_arn: str,
        body: bytes,
        attributes: Mapping[str, str],
        subject: str | None = None,
        message_structure: str | None = None,
    ) -> str:
        """As `Topics.publish`."""
        if self.failures:
            raise self.failures.pop(0)
        message_id = f"sns-{len(self.published) + 1}"
        self.published.append(
            PublishedMessage(message_id, topic_arn, body, dict(attributes), subject, message_structure)
        )
        return message_id


@dataclass
class MemoryQueues:
    """Records what is sent; `failures` are raised first, one per call of `send`."""

    sent: list[SentMessage] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)

    async def send(
        self, queue_url: str, body: bytes, attributes: Mapping[str, str], delay_seconds: int = 0
    ) -> str:
        """As `Queues.send`."""
        if self.failures:
            raise self.failures.pop(0)
        message_id = f"sqs-{len(self.sent) + 1}"
        self.sent.append(SentMessage(message_id, queue_url, body, dict(attributes), delay_seconds))
        return message_id

    async def depth(self, queue_url: str) -> dict[str, int]:
        """As `Queues.depth`; nothing is ever received from here, and `unreadable` queues are refused."""
        if queue_url in self.unreadable:
            raise AwsRefused(f"{queue_url}: AWS.SimpleQueueService.NonExistentQueue")
        mine = [message for message in self.sent if message.queue_url == queue_url]
        delayed = sum(message.delay_seconds > 0 for message in mine)
        return {"visible": len(mine) - delayed, "in_flight": 0, "delayed": delayed}


@dataclass
class MemoryObjects:
    """`s3://` in a dict, `file://` on the disk; `failures` are raised first, one per call."""

    stored: dict[str, bytes] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)
    _files: LocalFiles = field(default_factory=LocalFiles)

    async def get(self, uri: str, etag: str | None = None) -> FetchedObject | None:
        """As `Objects.get`."""
        if self.failures:
            raise self.failures.pop(0)
        if uri.startswith("file://"):
            return await self._files.get(uri, etag)
        if not uri.startswith("s3://"):
            raise AwsRefused(f"{uri}: only s3:// and file:// addresses can be read")
        if uri not in self.stored:
            raise ObjectMissing(uri)
        current = _etag(self.stored[uri])
        return None if current == etag else FetchedObject(self.stored[uri], current)

    async def put(self, uri: str, body: bytes) -> str:
        """As `Objects.put`."""
        if self.failures:
            raise self.failures.pop(0)
        if uri.startswith("file://"):
            return await self._files.put(uri, body)
        self.stored[uri] = body
        return _etag(body)

    async def names(self, folder: str) -> list[str]:
        """As `Objects.names`."""
        if folder.startswith("file://"):
            return await self._files.names(folder)
        return sorted(uri for uri in self.stored if uri.startswith(f"{folder.rstrip('/')}/"))


class MemoryAws:
    """Stands in for `AwsClients`, with what was published and sent open to inspection."""

    def __init__(self) -> None:
        self.topics = MemoryTopics()
        self.queues = MemoryQueues()
        self.objects = MemoryObjects()

    async def close(self) -> None:
        """Nothing to close."""


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
