"""Refused messages: why, and the record that keeps their raw bytes (contracts.md 14)."""

import base64
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from dwh_contracts import ids
from dwh_contracts.times import UtcTime


class QuarantineReason(StrEnum):
    """Why a message cannot be handled; the first fault wins, in the order of `PRECEDENCE`."""

    NOT_JSON = "not-json"
    NOT_AN_OBJECT = "not-an-object"
    TOO_DEEP = "too-deep"
    TOO_LARGE = "too-large"
    UNSUPPORTED_VERSION = "unsupported-version"
    UNKNOWN_EVENT_TYPE = "unknown-event-type"
    MISSING_FIELD = "missing-field"
    WRONG_TYPE = "wrong-type"
    ENUM_OUT_OF_RANGE = "enum-out-of-range"
    BAD_NAME = "bad-name"
    BAD_TIME = "bad-time"
    TIME_OUT_OF_RANGE = "time-out-of-range"
    INCONSISTENT_STATUS = "inconsistent-status"
    WRONG_ENVIRONMENT = "wrong-environment"
    CLAIM_CHECK_MISSING = "claim-check-missing"
    CLAIM_CHECK_MISMATCH = "claim-check-mismatch"
    CONFLICTING_CONTENT = "conflicting-content"
    UNMAPPABLE = "unmappable"


PRECEDENCE = {reason: rank for rank, reason in enumerate(QuarantineReason)}


class Refused(Exception):  # noqa: N818 - what happened to the message
    """A message that is no event of ours; nothing of it is lost."""

    def __init__(self, reason: QuarantineReason, path: str | None, detail: str) -> None:
        super().__init__(f"{reason.value} at {path}: {detail}" if path else f"{reason.value}: {detail}")
        self.reason = reason
        self.path = path
        self.detail = detail


class QuarantineRecord(BaseModel):
    """A refused message as it is stored; a redelivery is the same record."""

    model_config = ConfigDict(frozen=True)

    quarantine_id: str
    timestamp: UtcTime
    service: str
    topic: str | None
    reason: QuarantineReason
    path: str | None
    detail: str
    raw: str
    raw_encoding: Literal["utf-8", "base64"]
    attributes: dict[str, str]
    state: Literal["open", "replayed", "discarded"] = "open"


def quarantine_record(
    service: str,
    topic: str | None,
    raw: bytes,
    attributes: Mapping[str, str],
    refused: Refused,
    now: datetime,
) -> QuarantineRecord:
    """The record of one refused message; `raw` is base64 when it is not UTF-8."""
    try:
        text, encoding = raw.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(raw).decode(), "base64"
    return QuarantineRecord(
        quarantine_id=ids.quarantine_id(service, raw),
        timestamp=now,
        service=service,
        topic=topic,
        reason=refused.reason,
        path=refused.path,
        detail=refused.detail[:2_000],
        raw=text,
        raw_encoding=encoding,  # type: ignore[arg-type]
        attributes=dict(attributes),
    )
