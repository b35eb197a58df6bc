"""Fetch the events that travel by claim check, for a parser that cannot wait."""

import asyncio
from collections.abc import Callable
from typing import Any

from dwh_contracts.canonical import JsonObject
from dwh_contracts.quarantine import QuarantineReason, Refused

from dwh_runtime.aws import AwsRefused, ObjectMissing, Objects

Expand = Callable[[JsonObject], bytes]
"""Fetches what a claim check points to."""


def fetcher(objects: Objects) -> Expand:
    """A fetcher to be called from another thread than the running loop's.

    It raises `Refused` for an object that is not there, and `AwsUnavailable` when that cannot be told.
    """
    loop = asyncio.get_running_loop()

    def fetch(pointer: JsonObject) -> bytes:
        uri: Any = pointer["uri"]
        try:
            fetched = asyncio.run_coroutine_threadsafe(objects.get(uri), loop).result()
        except (ObjectMissing, AwsRefused) as error:
            raise Refused(QuarantineReason.CLAIM_CHECK_MISSING, "claim_check.uri", str(error)) from error
        return b"" if fetched is None else fetched.body

    return fetch
