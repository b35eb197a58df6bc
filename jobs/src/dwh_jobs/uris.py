"""Addresses of data: `file:///…` and `s3://…`, joined and taken apart as plain text.

Paths are never percent-encoded, because neither Spark nor S3 does.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

_S3 = re.compile(r"^s3[an]?://")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


def as_uri(path: str) -> str:
    """A plain path as a `file:///` address; addresses are left alone but for a closing slash."""
    if "://" not in path:
        path = Path(path).absolute().as_uri()
    return path.rstrip("/") if not path.endswith("://") else path


def join(base: str, *parts: str) -> str:
    """`base` followed by the parts, one slash between each."""
    return "/".join([base.rstrip("/"), *(part.strip("/") for part in parts)])


def parent(uri: str) -> str:
    """The folder that holds `uri`."""
    return uri.rstrip("/").rpartition("/")[0]


def is_s3(uri: str) -> bool:
    """Whether the address lies in S3, under any of the three schemes Spark knows."""
    return _S3.match(uri) is not None


def local_path(uri: str) -> Path:
    """The path on this machine behind a `file://` address or a plain path."""
    return Path(uri.removeprefix("file://"))


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Bucket and key of an S3 address."""
    bucket, _, key = _S3.sub("", uri).partition("/")
    return bucket, key


def folder_name(run_id: str) -> str:
    """A run id as a folder's name: itself, unless paths or globs give some of its characters a meaning."""
    safe = _UNSAFE.sub("_", run_id)
    return safe if safe == run_id else f"{safe}-{sha256(run_id.encode()).hexdigest()[:8]}"
