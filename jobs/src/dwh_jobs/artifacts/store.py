"""The port to where artifacts lie.

Guarantees compare-and-set on single objects. Does not guarantee anything about folders: a listing may
miss what is written while it runs, which is why readers follow a manifest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Checksum:
    """Content of a file in few characters: `etag` on S3, `sha256` on `file`."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One data file as a listing shows it."""

    uri: str
    bytes: int
    checksum: Checksum


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object's content and the version that `replace` compares."""

    body: bytes
    version: str


class ArtifactStore(Protocol):
    """Reads, lists and conditionally writes small objects."""

    def files(self, prefix: str) -> list[StoredFile]:
        """Data files under a folder at any depth, by address; without hidden ones (`_…`, `.…`)."""

    def holds(self, prefix: str) -> bool:
        """Whether the folder exists, which on S3 means: whether any object lies under it."""

    def read(self, uri: str) -> StoredObject | None:
        """The object, or None when there is none."""

    def write(self, uri: str, body: bytes) -> None:
        """Write the object whatever was there."""

    def replace(self, uri: str, body: bytes, version: str | None) -> bool:
        """Write if the object still has this version (None: does not exist); False when it has not."""

    def delete(self, uri: str) -> None:
        """Remove the object; no error when it is gone already."""


def is_data(name: str) -> bool:
    """Whether a path below a dataset names data, by the rule Spark itself uses for what it reads."""
    return not any(part.startswith(("_", ".")) for part in name.split("/"))
