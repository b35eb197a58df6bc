"""The audited description of what a run staged: every file with its checksum, the checks, the totals.

It is written after the checks and before anything points to it. Downstream and approvals bind to its hash.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from dwh_contracts.canonical import JsonObject, canonical_json
from dwh_contracts.times import format_time, parse_time

from dwh_jobs.artifacts import ArtifactStore, Checksum, StoredFile
from dwh_jobs.context import ExecutionContext
from dwh_jobs.errors import InputMismatchError
from dwh_jobs.quality import QualityResult
from dwh_jobs.uris import join
from dwh_jobs.window import Window

SCHEMA_VERSION = "1.0"
FILE_NAME = "_manifest.json"
DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of output with its files; `dropped` holds the rows that went no further."""

    name: str
    path: str
    format: str
    records: int
    files: tuple[StoredFile, ...]

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Staged:
    """What a run has written and not yet published; `extra` are the job's own parts of the manifest."""

    base_path: str
    window: Window
    categories: tuple[Category, ...]
    extra: JsonObject = field(default_factory=dict)

    @property
    def kept(self) -> tuple[Category, ...]:
        """The categories that are artifacts."""
        return tuple(category for category in self.categories if category.name != DROPPED)


@dataclass(frozen=True, slots=True)
class ManifestRef:
    """Where a manifest lies and what it must hash to."""

    uri: str
    bytes: int
    sha256: str

    def as_json(self) -> JsonObject:
        """The shape of `artifacts_manifest`."""
        return {"uri": self.uri, "bytes": self.bytes, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class ReadManifest:
    """A manifest as a reader sees it."""

    ref: ManifestRef
    body: JsonObject
    job_run_id: str
    attempt: int
    window: Window
    categories: tuple[Category, ...]


def write_manifest(
    store: ArtifactStore,
    context: ExecutionContext,
    staged: Staged,
    quality: QualityResult,
    created_at: datetime,
) -> ManifestRef:
    """Write the manifest beside the data."""
    body = canonical_json(_manifest(context, staged, quality, created_at))
    uri = join(staged.base_path, FILE_NAME)
    store.write(uri, body)
    return ManifestRef(uri, len(body), sha256(body).hexdigest())


def read_manifest(store: ArtifactStore, uri: str) -> ReadManifest:
    """Read a manifest; InputMismatchError when there is none or it is not one."""
    stored = store.read(uri)
    if stored is None:
        raise InputMismatchError(f"there is no manifest at {uri}")
    try:
        body = json.loads(stored.body)
        base = str(body["base_path"])
        return ReadManifest(
            ref=ManifestRef(uri, len(stored.body), sha256(stored.body).hexdigest()),
            body=body,
            job_run_id=str(body["job_run_id"]),
            attempt=int(body["attempt"]),
            window=Window(parse_time(body["window"]["start"]), parse_time(body["window"]["end"])),
            categories=tuple(_category(base, item) for item in body["categories"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputMismatchError(f"{uri} is no manifest: {error!r}") from error


def verify_files(store: ArtifactStore, manifest: ReadManifest) -> None:
    """Compare the files of every category with the manifest: paths, sizes and checksums must be equal."""
    for category in manifest.categories:
        found = {file.uri: file for file in store.files(category.path)}
        listed = {file.uri: file for file in category.files}
        for uri in sorted(found.keys() | listed.keys()):
            if found.get(uri) != listed.get(uri):
                raise InputMismatchError(f"{uri} differs from the manifest {manifest.ref.uri}")


def _manifest(
    context: ExecutionContext, staged: Staged, quality: QualityResult, created_at: datetime
) -> JsonObject:
    return {
        "schema_version": SCHEMA_VERSION,
        "environment": context.environment,
        "job_name": context.job_name,
        "job_run_id": context.job_run_id,
        "attempt": context.attempt,
        "code_version": context.code_version,
        "created_at": format_time(created_at),
        "window": {"start": format_time(staged.window.start), "end": format_time(staged.window.end)},
        "base_path": staged.base_path,
        "categories": [_category_json(staged.base_path, category) for category in staged.categories],
        "totals": {
            "records": sum(category.records for category in staged.kept),
            "bytes": sum(category.bytes for category in staged.kept),
            "files": sum(len(category.files) for category in staged.kept),
        },
        "quality_status": quality.status.value,
        "checks": [dict(check.as_json()) for check in quality.checks],
        **staged.extra,
    }


def _category_json(base: str, category: Category) -> JsonObject:
    return {
        "category": category.name,
        "path": category.path.removeprefix(f"{base}/"),
        "format": category.format,
        "records": category.records,
        "files": [
            {
                "path": file.uri.removeprefix(f"{base}/"),
                "bytes": file.bytes,
                "checksum": {"algorithm": file.checksum.algorithm, "value": file.checksum.value},
            }
            for file in category.files
        ],
    }


def _category(base: str, item: JsonObject) -> Category:
    files = item["files"]
    if not isinstance(files, list):
        raise TypeError("files is no list")
    return Category(
        name=str(item["category"]),
        path=_below(base, str(item["path"])),
        format=str(item["format"]),
        records=int(str(item["records"])),
        files=tuple(_file(base, dict(file)) for file in files if isinstance(file, dict)),
    )


def _file(base: str, item: JsonObject) -> StoredFile:
    checksum = item["checksum"]
    if not isinstance(checksum, dict):
        raise TypeError("checksum is no object")
    size = int(str(item["bytes"]))
    return StoredFile(
        _below(base, str(item["path"])), size, Checksum(str(checksum["algorithm"]), str(checksum["value"]))
    )


def _below(base: str, path: str) -> str:
    """A path under the manifest's folder: a manifest can never name another run's files."""
    if path.startswith("/") or "://" in path or ".." in path.split("/"):
        raise ValueError(f"{path} does not lie under the manifest")
    return join(base, path)
