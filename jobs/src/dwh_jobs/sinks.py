"""The ways an event can leave a run: SNS, a file, nowhere. Each raises when it could not deliver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import boto3
from botocore.config import Config

from dwh_jobs.artifacts import open_store
from dwh_jobs.uris import join

CONNECT_SECONDS = 2
READ_SECONDS = 5
TRIES = 4


@dataclass(frozen=True, slots=True)
class Message:
    """An event ready to be sent."""

    event_id: str
    body: str
    attributes: Mapping[str, str]
    subject: str


class EventSink(Protocol):
    """Takes one message, in bounded time."""

    def send(self, message: Message) -> None:
        """Deliver it; any exception means it was not delivered."""


class SnsSink:
    """The topic of job events; at most 4 tries of at most 7 s each, with jitter between them."""

    def __init__(self, topic_arn: str, region: str) -> None:
        self._topic_arn = topic_arn
        self._region = region

    @cached_property
    def _sns(self) -> Any:
        limits = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": TRIES},
        )
        return boto3.client("sns", region_name=self._region, config=limits)

    def send(self, message: Message) -> None:
        """Publish with attributes and subject."""
        self._sns.publish(
            TopicArn=self._topic_arn,
            Message=message.body,
            Subject=message.subject,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in message.attributes.items()
            },
        )


class FileSink:
    """One JSON file per event, named by its id."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def send(self, message: Message) -> None:
        """Write the body."""
        open_store(self._folder).write(join(self._folder, f"{message.event_id}.json"), message.body.encode())


class NoopSink:
    """Drops everything, on request."""

    def send(self, message: Message) -> None:
        """Do nothing."""
