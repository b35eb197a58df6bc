"""Where manifests, pointers and spooled events lie: one port, two implementations, one test suite."""

from __future__ import annotations

from dwh_jobs.artifacts.file import FileArtifactStore
from dwh_jobs.artifacts.s3 import S3ArtifactStore
from dwh_jobs.artifacts.store import ArtifactStore, Checksum, StoredFile, StoredObject
from dwh_jobs.uris import is_s3

__all__ = ["ArtifactStore", "Checksum", "StoredFile", "StoredObject", "open_store"]


def open_store(uri: str) -> ArtifactStore:
    """The store that holds `uri`."""
    return S3ArtifactStore() if is_s3(uri) else FileArtifactStore()
