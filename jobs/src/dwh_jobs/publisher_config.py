"""Where a job's events go, as its configuration says it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class PublisherKind(StrEnum):
    """The ways an event can leave."""

    SNS = "SNS"
    """To the topic of job events."""
    FILE = "FILE"
    """One JSON file per event, for development."""
    NOOP = "NOOP"
    """Nowhere, for tests of a job's rows."""


class PublisherConfig(BaseModel):
    """`topic_arn` falls back to `DWH_JOB_EVENTS_TOPIC_ARN`; the kind to SNS when a topic is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: PublisherKind | None = None
    topic_arn: str | None = None
    path: str | None = None
    spool: str | None = None
