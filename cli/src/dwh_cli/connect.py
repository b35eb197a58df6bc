"""Where the servers are: from the environment, else the local system of this checkout.

With no `DWH_ENVIRONMENT` set, the command talks to the system that `dwh local up` started here.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from dwh_eventstore import Store, StoreSettings, StoreUnavailable, open_store
from dwh_local.environment import addresses, shared_settings
from dwh_local.system import local_system
from dwh_runtime.aws import AwsUnavailable

from dwh_cli.exits import NoServer, Usage

T = TypeVar("T")


def load_environment() -> None:
    """Complete the process's environment from the local system when none is named."""
    if os.environ.get("DWH_ENVIRONMENT"):
        return
    system = local_system()
    for name, value in {**shared_settings(system), **addresses(system)}.items():
        if value:
            os.environ.setdefault(name, value)


def setting(name: str) -> str:
    """A setting that this verb needs.

    Raises:
        Usage: it is not set.
    """
    load_environment()
    value = os.environ.get(name)
    if not value:
        raise Usage(f'{name} is not set; `eval "$(dwh local env)"` sets it for the local system')
    return value


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
    """Run a coroutine to its end.

    Raises:
        NoServer: a server it needs does not answer; the text says which and where.
    """
    try:
        return asyncio.run(work())
    except (StoreUnavailable, AwsUnavailable) as error:
        raise NoServer(str(error)) from error
