"""The one list of topics, queues and consumers, `deploy/consumers.json`, as typed data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue

from dwh_local.paths import checkout

Filter = Mapping[str, JsonValue]


class QueueSpec(BaseModel):
    """A queue; its dead letters go to `<name>-dlq` after `max_receive_count` receives."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    visibility_seconds: int
    max_receive_count: int
    retention_days: int


class Timeouts(BaseModel):
    """How long a consumer may take to handle a message, to drain, and to end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    handler_seconds: int
    drain_seconds: int
    grace_seconds: int


class Consumer(BaseModel):
    """A service: its module, its queue, and what its queue receives (topic to filter policy)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    module: str
    queue: QueueSpec
    subscriptions: Mapping[str, Filter]
    timeouts: Timeouts


class DeadLetters(BaseModel):
    """What all dead-letter queues share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    retention_days: int


class Consumers(BaseModel):
    """The whole list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: tuple[str, ...]
    buckets: tuple[str, ...]
    dead_letters: DeadLetters
    queues: Mapping[str, QueueSpec]
    consumers: Mapping[str, Consumer]

    def all_queues(self) -> dict[str, QueueSpec]:
        """Every queue but the dead-letter queues, by short name."""
        return {**self.queues, **{name: consumer.queue for name, consumer in self.consumers.items()}}


def load_consumers(path: Path | None = None) -> Consumers:
    """Read the list; pydantic's error names what is wrong in it."""
    return Consumers.model_validate(json.loads((path or checkout().consumers).read_bytes()))
