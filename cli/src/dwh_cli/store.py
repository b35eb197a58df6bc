"""The event store of the environment, for verbs that read it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from dwh_eventstore import Store, StoreDenied, StoreError, StoreSettings, StoreUnavailable, open_store

from dwh_cli.connect import secret, setting
from dwh_cli.exits import NoServer, Usage

T = TypeVar("T")

LONG_WORK_PATIENCE_SECONDS = 180.0
"""Of work that takes minutes by itself, and that a person would only begin again."""


def store_settings() -> StoreSettings:
    """The store of the environment."""
    replicas = os.environ.get("DWH_OPENSEARCH_REPLICAS") or "0"
    auth = os.environ.get("DWH_OPENSEARCH_AUTH") or "none"
    if not (replicas.isascii() and replicas.isdigit()):
        raise Usage(f"DWH_OPENSEARCH_REPLICAS must be a number, not {replicas!r}")
    if auth not in {"none", "basic", "sigv4"}:
        raise Usage(f"DWH_OPENSEARCH_AUTH must be none, basic or sigv4, not {auth!r}")
    return StoreSettings(
        url=setting("DWH_OPENSEARCH_URL"),
        environment=setting("DWH_ENVIRONMENT"),
        service="cli",
        auth=auth,  # type: ignore[arg-type]
        user=os.environ.get("DWH_OPENSEARCH_USER") or None,
        password=secret("DWH_OPENSEARCH_PASSWORD"),
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or None,
        replicas=int(replicas),
        wait_for_active_shards=os.environ.get("DWH_OPENSEARCH_WAIT_FOR_ACTIVE_SHARDS") or "1",
    )


@asynccontextmanager
async def opened_store(busy_patience_seconds: float | None = None) -> AsyncIterator[Store]:
    """The store, checked to answer; each call waits so long for an engine that is too busy."""
    settings = store_settings()
    if busy_patience_seconds is not None:
        settings = replace(settings, busy_patience_seconds=busy_patience_seconds)
    store = await open_store(settings)
    try:
        await store.backend.version()  # unlike a ping it waits for an engine that is too busy
        yield store
    finally:
        await store.close()


def wait_for(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine that reads the store to its end.

    Raises:
        Usage: the settings of the store are wrong, or it does not take the credentials they name.
        NoServer: the store does not answer; the text says where it was looked for.
    """
    try:
        return asyncio.run(work())
    except StoreDenied as error:
        raise Usage(str(error)) from error
    except StoreUnavailable as error:
        raise NoServer(str(error)) from error
    except StoreError as error:
        raise Usage(str(error)) from error
