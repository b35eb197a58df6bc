"""Events over 200 KiB travel as a pointer to the whole event (contracts.md 1)."""

import hashlib
import posixpath
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from dwh_contracts.canonical import JsonObject
from dwh_contracts.model import ContractModel, Count, Hex64
from dwh_contracts.quarantine import QuarantineReason, Refused

INLINE_BYTES = 200 * 1024
MESSAGE_BYTES = 256 * 1024
_ENVELOPE = (
    "schema_version",
    "event_type",
    "event_id",
    "environment",
    "job_name",
    "job_run_id",
    "attempt",
    "timestamp",
    "correlation_id",
    "causation_id",
    "status",
)
Expand = Callable[[JsonObject], bytes]
"""Fetches the bytes of a pointer `{uri, bytes, sha256}`; raises `LookupError` or `FileNotFoundError`."""


class ClaimCheck(ContractModel):
    """Where the whole event lies, and what it must be."""

    uri: str
    bytes: Count
    sha256: Hex64


def needs_claim_check(raw: bytes) -> bool:
    """Is the event too large to travel inside the message?"""
    return len(raw) > INLINE_BYTES


def claim_check_message(event: JsonObject, uri: str, raw: bytes) -> JsonObject:
    """What travels instead of `event`, whose bytes `raw` were stored at `uri`."""
    pointer: JsonObject = {"uri": uri, "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    return {"claim_check": pointer, **{name: event[name] for name in _ENVELOPE if name in event}}


def expand_claim_check(pointer: object, environment: str, expand: Expand | None) -> bytes:
    """The bytes of the whole event, checked against the pointer.

    Raises:
        Refused: outside the environment's data, not there, or other bytes than promised.
    """
    check = _checked(pointer)
    if not _inside(check.uri, environment):
        raise Refused(
            QuarantineReason.CLAIM_CHECK_MISMATCH, "claim_check.uri", f"outside dwh-{environment}-data"
        )
    if expand is None:
        raise Refused(
            QuarantineReason.CLAIM_CHECK_MISSING, "claim_check.uri", "nobody here fetches claim checks"
        )
    try:
        raw = expand(check.model_dump())
    except (LookupError, FileNotFoundError) as error:
        raise Refused(QuarantineReason.CLAIM_CHECK_MISSING, "claim_check.uri", str(error)) from error
    if len(raw) != check.bytes:
        raise Refused(QuarantineReason.CLAIM_CHECK_MISMATCH, "claim_check.bytes", f"{len(raw)} bytes found")
    if hashlib.sha256(raw).hexdigest() != check.sha256:
        raise Refused(QuarantineReason.CLAIM_CHECK_MISMATCH, "claim_check.sha256", "other content found")
    return raw


def _checked(pointer: object) -> ClaimCheck:
    try:
        return ClaimCheck.model_validate(pointer)
    except ValueError as error:
        raise Refused(QuarantineReason.WRONG_TYPE, "claim_check", "needs uri, bytes and sha256") from error


def _inside(uri: str, environment: str) -> bool:
    """S3: the bucket; a local file: below a folder of the bucket's name, without a way out of it."""
    bucket = f"dwh-{environment}-data"
    parts = urlsplit(uri)
    if parts.scheme == "s3":
        return parts.netloc == bucket and parts.path not in {"", "/"}
    if parts.scheme != "file" or environment != "local" or parts.netloc:
        return False
    path = unquote(parts.path)
    return posixpath.normpath(path) == path and bucket in path.split("/")[1:-1]
