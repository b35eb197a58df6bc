"""References to images, decrypted.

`ImageReferenceDecryptor` is the port: a team with its own cipher implements it and registers it under the
entry points `dwh_jobs.decryptors`. Shipped is a reversible AES-GCM cipher for generated data. Its keys are
derived from a public sentence: it protects nothing and must not be used for real references.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Protocol, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LARGEST_MSPID = 2**31 - 1
NONCE_BYTES = 12
KEY_VERSIONS = (1, 2)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ImageReference:
    """What one row refers to; `cause` says why a part could not be decrypted."""

    msp: str | None = None
    mspid: int | None = None
    mediaid: int | None = None
    locationspec: str | None = None
    cause: str | None = None


class ImageReferenceDecryptor(Protocol):
    """Turns the encrypted fields of a row into a reference.

    Never raises for what a row holds: a part that cannot be read stays None and `cause` says why.
    """

    def decrypt(self, view: str | None, image_id: str | None, image_data: str | None) -> ImageReference:
        """The reference of one row."""


class _UnreadableError(Exception):
    """One token cannot be read; the message is the cause."""


class TestCipher:
    """AES-GCM tokens: url-safe base64 of key version (1 byte), nonce (12 bytes), sealed text.

    `image_id` seals a decimal number, `image_data` seals `msp=…&locationspec=…`.
    """

    __test__ = False  # the name is the cipher's, not a test's

    def decrypt(self, view: str | None, image_id: str | None, image_data: str | None) -> ImageReference:
        """The reference of one row; the columns win over the same names inside `image_view`."""
        inside = _pairs(view)
        causes: list[str] = []
        number = _attempt(image_id or inside.get("image_id"), _number, causes)
        data = _attempt(image_data or inside.get("image_data"), _layout, causes) or {}
        return ImageReference(
            msp=data.get("msp"),
            mspid=number if number is not None and number <= LARGEST_MSPID else None,
            mediaid=number if number is not None and number > LARGEST_MSPID else None,
            locationspec=data.get("locationspec"),
            cause=",".join(causes) or None,
        )


def seal(text: str, nonce: bytes, version: int = 1) -> str:
    """The token that `TestCipher` reads back as `text`."""
    sealed = _cipher(version).encrypt(nonce, text.encode(), None)
    return base64.urlsafe_b64encode(bytes([version]) + nonce + sealed).decode()


def _open(token: str) -> str:
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _UnreadableError("padding") from error
    if len(raw) <= NONCE_BYTES + 1:
        raise _UnreadableError("layout")
    if raw[0] not in KEY_VERSIONS:
        raise _UnreadableError("key version")
    try:
        return _cipher(raw[0]).decrypt(raw[1 : NONCE_BYTES + 1], raw[NONCE_BYTES + 1 :], None).decode()
    except (InvalidTag, UnicodeDecodeError) as error:
        raise _UnreadableError("authentication") from error


def _attempt(token: str | None, read: Callable[[str], T], causes: list[str]) -> T | None:
    if not token:
        return None
    try:
        return read(_open(token))
    except _UnreadableError as error:
        causes.append(str(error))
        return None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):  # noqa: PLR2004 - fits 64 bits
        raise _UnreadableError("layout")
    return int(text)


def _layout(text: str) -> dict[str, str]:
    found = {name: value for name, value in _pairs(text).items() if name in {"msp", "locationspec"} and value}
    if not found:
        raise _UnreadableError("layout")
    return found


def _pairs(text: str | None) -> dict[str, str]:
    parts = (part.partition("=") for part in (text or "").split("&"))
    return {name: value for name, equals, value in parts if equals}


@cache
def _cipher(version: int) -> AESGCM:
    return AESGCM(sha256(f"dwh test cipher, protects nothing, version {version}".encode()).digest())
