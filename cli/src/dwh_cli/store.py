"""The event store of the environment, for verbs that read it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from dwh_eventstore import Store, StoreSettings, StoreUnavailable, open_store

from dwh_cli.connect import setting
from dwh_cli.exits import NoServer

T = TypeVar("T")


def store_settings() -> StoreSettings:
    """The store of the environment."""
    return StoreSettings(
        url=setting("DWH_OPENSEARCH_URL"),
        environment=setting("DWH_ENVIRONMENT"),
        service="cli",
        auth=os.environ.get("DWH_OPENSEARCH_AUTH") or "none",  # type: ignore[arg-type]
        user=os.environ.get("DWH_OPENSEARCH_USER") or None,
        password=os.environ.get("DWH_OPENSEARCH_PASSWORD") or None,
        replicas=int(os.environ.get("DWH_OPENSEARCH_REPLICAS") or 0),
    )


@asynccontextmanager
async def opened_store() -> AsyncIterator[Store]:
    """The store, checked to answer."""
    store = await open_store(store_settings())
    try:
        await store.ping()
        yield store
    finally:
        await store.close()


def wait_for(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine that reads the store to its end.

    Raises:
        NoServer: the store does not answer; the text says where it was looked for.
    """
    try:
        return asyncio.run(work())
    except StoreUnavailable as error:
        raise NoServer(str(error)) from error
