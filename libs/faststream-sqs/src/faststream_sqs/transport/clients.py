"""Opens AWS clients; the only place that does."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session

SessionFactory = Callable[[], AioSession]


@dataclass(frozen=True, slots=True)
class Clients:
    """Where AWS is and how to sign in; what is None comes from the AWS environment."""

    region: str | None = None
    endpoint_url: str | None = None
    session_factory: SessionFactory = get_session

    async def open(
        self, *wanted: tuple[str, AioConfig | None], session: AioSession | None = None
    ) -> tuple[list[Any], AsyncExitStack]:
        """Clients of one session, new if none is given, for services by name, and what closes them.

        All of them or none: after an error nothing stays open. Opens no connection yet.
        """
        session, clients, stack = session or self.session_factory(), [], AsyncExitStack()
        try:
            for service, config in wanted:
                client = session.create_client(
                    service, region_name=self.region, endpoint_url=self.endpoint_url, config=config
                )
                clients.append(await stack.enter_async_context(client))
        except BaseException:
            await stack.aclose()
            raise
        return clients, stack
