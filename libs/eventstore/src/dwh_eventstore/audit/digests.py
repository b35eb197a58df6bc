"""One digest: which events stood in a stretch of a partition, chained to the one before and signed."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dwh_contracts.canonical import JsonObject, canonical_json

from dwh_eventstore.backend import Found
from dwh_eventstore.errors import StoreError
from dwh_eventstore.hashing import content_hash

Entry = tuple[str, str]
"""Id of an event and the hash of its content as it is stored."""
FIRST = ""
"""What the first digest of a partition names as the one before."""
_KEY_BYTES = 32


class AuditKey:
    """The Ed25519 key that seals; made of 64 hex digits."""

    def __init__(self, text: str) -> None:
        """Read the key.

        Raises:
            StoreError: it is none; the text is not repeated.
        """
        try:
            seed = bytes.fromhex(text)
        except ValueError:
            seed = b""
        if len(seed) != _KEY_BYTES:
            raise StoreError("DWH_AUDIT_KEY must be an Ed25519 key of 64 hex digits")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    def sign(self, text: str) -> str:
        """The signature, in hex."""
        return self._key.sign(text.encode()).hex()

    def signed(self, text: str, signature: str) -> bool:
        """Whether this key made the signature."""
        try:
            self._key.public_key().verify(bytes.fromhex(signature), text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Digest:
    """The stretch (after, upto] of one index, by sequence number."""

    partition: str
    uuid: str
    sequence: int
    after: int
    upto: int
    count: int
    sha256: str
    """Of the sorted list of entries."""
    previous: str
    """Hash of the digest before."""
    sealed_at: str

    @property
    def hash(self) -> str:
        """What is signed, and what the next digest names."""
        return hashlib.sha256(canonical_json(asdict(self))).hexdigest()

    @property
    def id(self) -> str:
        """Under which it is kept."""
        return f"{self.partition}|{self.sequence:08d}"

    def document(self, key: AuditKey) -> JsonObject:
        """As it is kept."""
        return {**asdict(self), "kind": "digest", "hash": self.hash, "signature": key.sign(self.hash)}


def digest_from(document: JsonObject) -> Digest:
    """The digest that a document holds, whether or not it is a good one."""
    told: Any = document
    return Digest(**{name: told.get(name) for name in Digest.__dataclass_fields__})


def entry_of(found: Found) -> Entry:
    """Id and hash of a stored event, computed anew from its body."""
    body = found.body.get("body")
    return found.id, content_hash(body if isinstance(body, dict) else {})


def sha256_of(entries: Iterable[Sequence[str]]) -> str:
    """The hash of a list of entries, whatever its order."""
    ordered: list[Any] = sorted([str(event_id), str(content)] for event_id, content in entries)
    return hashlib.sha256(canonical_json(ordered)).hexdigest()
