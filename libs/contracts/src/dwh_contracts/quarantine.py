"""Why a message is refused, and the record that keeps it (contracts.md 14)."""

import base64
from datetime import datetime
from enum import StrEnum
from typing import Literal

from dwh_contracts import ids
from dwh_contracts.model import ContractModel, Hex32
from dwh_contracts.times import UtcTime


class QuarantineReason(StrEnum):
    """The vocabulary of refusal; of several faults the first in this order up to `wrong-environment` wins."""

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


ORDER = {reason: position for position, reason in enumerate(QuarantineReason)}


class Refused(Exception):  # noqa: N818 - named for what happened to the message
    """A message is no event of ours; `path` is dotted, `detail` for people."""

    def __init__(self, reason: QuarantineReason, path: str | None = None, detail: str = "") -> None:
        super().__init__(": ".join(part for part in (reason.value, path, detail) if part))
        self.reason = reason
        self.path = path
        self.detail = detail


class QuarantineRecord(ContractModel):
    """A refused message with its raw bytes."""

    quarantine_id: Hex32
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
    service: str, topic: str | None, raw: bytes, attributes: dict[str, str], refused: Refused, now: datetime
) -> QuarantineRecord:
    """The record of one refusal; equal service and bytes give an equal id."""
    try:
        text, encoding = raw.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(raw).decode(), "base64"
    return QuarantineRecord.model_validate(
        {
            "quarantine_id": ids.quarantine_id(service, raw),
            "timestamp": now,
            "service": service,
            "topic": topic,
            "reason": refused.reason,
            "path": refused.path,
            "detail": refused.detail,
            "raw": text,
            "raw_encoding": encoding,
            "attributes": attributes,
        }
    )
