"""One digest: which events stood in a stretch of a partition, chained to the one before and signed."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dwh_contracts.canonical import JsonObject, canonical_json

from dwh_eventstore.backend import Found
from dwh_eventstore.hashing import content_hash

Entry = tuple[str, str]
"""Id of an event and the hash of its content as it is stored."""
FIRST = ""
"""What the first digest of a partition names as the one before."""


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

    def document(self, signature: str) -> JsonObject:
        """As it is kept, with the signature of its hash."""
        return {**asdict(self), "kind": "digest", "hash": self.hash, "signature": signature}


def digest_from(document: JsonObject) -> Digest:
    """The digest that a document holds, whether or not it is a good one."""
    told: Any = document
    return Digest(**{name: told.get(name) for name in Digest.__dataclass_fields__})


def entry_of(found: Found) -> Entry:
    """Id and hash of a stored event, computed anew from its body.

    The hash of an event leaves its id out; where the body names another than it is stored under, that counts.
    """
    stored = found.body.get("body")
    body: JsonObject = stored if isinstance(stored, dict) else {}
    content = content_hash(body)
    if body.get("event_id") != found.id:
        content = hashlib.sha256(f"{content} {body.get('event_id')}".encode()).hexdigest()
    return found.id, content


def sha256_of(entries: Iterable[Sequence[str]]) -> str:
    """The hash of a list of entries, whatever its order."""
    ordered: list[Any] = sorted([str(event_id), str(content)] for event_id, content in entries)
    return hashlib.sha256(canonical_json(ordered)).hexdigest()
