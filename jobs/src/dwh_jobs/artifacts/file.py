"""Artifacts in a folder of this machine: a lock for compare-and-set, a rename for whole writes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest, sha256
from pathlib import Path

from dwh_jobs.artifacts.store import Checksum, StoredFile, StoredObject, is_data
from dwh_jobs.uris import join, local_path


class FileArtifactStore:
    """The artifact store of the local system; safe between processes of one machine."""

    def files(self, prefix: str) -> list[StoredFile]:
        """Data files with their SHA-256, by address."""
        root = local_path(prefix)
        names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
        return [_stored(prefix, root, name) for name in names if is_data(name)]

    def holds(self, prefix: str) -> bool:
        """Whether the folder exists."""
        return local_path(prefix).is_dir()

    def read(self, uri: str) -> StoredObject | None:
        """The file; its version is the hash of its content."""
        try:
            body = local_path(uri).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return StoredObject(body, sha256(body).hexdigest())

    def write(self, uri: str, body: bytes) -> None:
        """Write beside, then rename: readers see the old or the new file, never half of one."""
        path = local_path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        _rename_in(path, body)

    def replace(self, uri: str, body: bytes, version: str | None) -> bool:
        """Compare and write under the file's lock."""
        path = local_path(uri)
        with _locked(path):
            found = self.read(uri)
            if (found.version if found else None) != version:
                return False
            _rename_in(path, body)
        return True

    def delete(self, uri: str) -> None:
        """Remove the file."""
        local_path(uri).unlink(missing_ok=True)


def _stored(prefix: str, root: Path, name: str) -> StoredFile:
    path = root / name
    with path.open("rb") as file:
        checksum = Checksum("sha256", file_digest(file, "sha256").hexdigest())
    return StoredFile(join(prefix, name), path.stat().st_size, checksum)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield  # closing the file releases the lock, also when the process dies


def _rename_in(path: Path, body: bytes) -> None:
    beside = path.parent / f".{path.name}.{os.getpid()}.part"
    with beside.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
