"""Artifacts in S3: conditional puts (`If-Match`, `If-None-Match`) for compare-and-set."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from dwh_jobs.artifacts.store import Checksum, StoredFile, StoredObject, is_data
from dwh_jobs.uris import bucket_and_key

_MISSING = {"NoSuchKey", "404", "NotFound"}
_STALE = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


class S3ArtifactStore:
    """The artifact store of every AWS environment; addresses and credentials from the standard `AWS_*`."""

    def __init__(self, client: Any = None) -> None:
        self._given = client

    @cached_property
    def _s3(self) -> Any:
        limits = Config(
            connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5}
        )
        return self._given or boto3.client("s3", config=limits)

    def files(self, prefix: str) -> list[StoredFile]:
        """Data files with their ETag, by address."""
        bucket, key = bucket_and_key(prefix)
        folder = key.rstrip("/") + "/"
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
        found = [item for page in pages for item in page.get("Contents", [])]
        return [
            StoredFile(
                f"s3://{bucket}/{item['Key']}", item["Size"], Checksum("etag", item["ETag"].strip('"'))
            )
            for item in sorted(found, key=lambda item: str(item["Key"]))
            if is_data(item["Key"].removeprefix(folder)) and not item["Key"].endswith("/")
        ]

    def holds(self, prefix: str) -> bool:
        """Whether any object lies under the prefix."""
        bucket, key = bucket_and_key(prefix)
        answer = self._s3.list_objects_v2(Bucket=bucket, Prefix=key.rstrip("/") + "/", MaxKeys=1)
        return bool(answer.get("KeyCount"))

    def read(self, uri: str) -> StoredObject | None:
        """The object; its version is its ETag."""
        bucket, key = bucket_and_key(uri)
        try:
            answer = self._s3.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if _code(error) in _MISSING:
                return None
            raise
        return StoredObject(answer["Body"].read(), answer["ETag"])

    def write(self, uri: str, body: bytes) -> None:
        """Put the object."""
        bucket, key = bucket_and_key(uri)
        self._s3.put_object(Bucket=bucket, Key=key, Body=body)

    def replace(self, uri: str, body: bytes, version: str | None) -> bool:
        """Put with the precondition; False on 412, and on 409 when another put was under way."""
        bucket, key = bucket_and_key(uri)
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        try:
            self._s3.put_object(Bucket=bucket, Key=key, Body=body, **condition)
        except ClientError as error:
            if _code(error) in _STALE | _MISSING:
                return False
            raise
        return True

    def delete(self, uri: str) -> None:
        """Delete the object."""
        bucket, key = bucket_and_key(uri)
        self._s3.delete_object(Bucket=bucket, Key=key)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
