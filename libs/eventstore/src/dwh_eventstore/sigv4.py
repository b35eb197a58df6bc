"""Sign requests with AWS Signature Version 4, for the service `es`; the only module that imports aiobotocore.

Guarantees: a request is signed with the newest credentials that are known, and never with ones that end
within a minute; while they last longer, no request waits for newer ones, which are fetched beside it, one
fetch at a time. The event loop never waits, except for AWS's configuration files to be read at the first use.
Does not sign a query with a space in it: client and server write it differently.
"""

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from aiobotocore.session import get_session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials, RefreshableCredentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
)
from botocore.exceptions import ConnectionError as NoConnection

from dwh_eventstore.errors import StoreDenied, StoreError, StoreUnavailable

SERVICE = "es"
RENEWED_SECONDS = 15 * 60
"""So long before their end new credentials are fetched beside the requests."""
NEEDED_SECONDS = 60
"""So long before their end, requests wait for new ones."""
_PAUSE_SECONDS = 30.0
"""Between two fetches that nobody waits for, and between two looks at the chain after a refusal."""
_PASSES = (CredentialRetrievalError, MetadataRetrievalError, HTTPClientError, NoConnection, OSError)
"""Troubles of the servers that give credentials; all others are wrong settings or missing rights."""
_NONE_FOUND = (
    "there are no AWS credentials to sign requests to OpenSearch with: give the pod or task a role, "
    "set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)


class ChainCredentials:
    """What the chain of AWS finds: environment, files, web identity, container, instance."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience = patience_seconds
        self._found: Any = None
        self._frozen: ReadOnlyCredentials | None = None
        self._fetching: asyncio.Task[ReadOnlyCredentials] | None = None
        self._renew_from = self._forget_from = -math.inf

    async def current(self) -> ReadOnlyCredentials:
        """Credentials that last for at least a minute.

        Raises:
            StoreUnavailable: what gives credentials does not answer.
            StoreDenied: there are none, or they are refused.
        """
        if self._frozen is None or self._ends_within(NEEDED_SECONDS):
            return await self._awaited()
        now = asyncio.get_running_loop().time()
        if self._ends_within(RENEWED_SECONDS) and now >= self._renew_from:
            self._renew_from = now + _PAUSE_SECONDS
            self._fetching = self._fetch()
        return self._frozen

    def forget(self) -> None:
        """Look at the whole chain again at the next use: these credentials were refused."""
        now = asyncio.get_running_loop().time()
        if now >= self._forget_from:
            self._forget_from = now + _PAUSE_SECONDS
            self._found = self._frozen = None

    async def close(self) -> None:
        """End a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._fetching

    def _ends_within(self, seconds: float) -> bool:
        return isinstance(self._found, RefreshableCredentials) and self._found.refresh_needed(seconds)

    async def _awaited(self) -> ReadOnlyCredentials:
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(self._fetch())
        except TimeoutError:
            raise StoreUnavailable(f"no AWS credentials within {self._patience:g} s") from None
        except _PASSES as error:
            raise StoreUnavailable(f"AWS credentials cannot be had now: {_told(error)}") from error
        except (BotoCoreError, ClientError, RuntimeError) as error:
            raise StoreDenied(
                f"AWS credentials cannot be had: {_told(error)}; check AWS_PROFILE and what supplies it, "
                "or the role of the pod or task and who may assume it"
            ) from error

    def _fetch(self) -> "asyncio.Task[ReadOnlyCredentials]":
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._look(), name="aws-credentials")
            self._fetching.add_done_callback(_seen)
        return self._fetching

    async def _look(self) -> ReadOnlyCredentials:
        found = self._found or await get_session().get_credentials()
        if found is None:
            raise StoreDenied(_NONE_FOUND)
        frozen: ReadOnlyCredentials = await found.get_frozen_credentials()
        self._found, self._frozen = found, frozen
        return frozen


class Signer:
    """Signs every request to one address."""

    def __init__(self, url: str, region: str, credentials: ChainCredentials) -> None:
        self._base = url.rstrip("/")
        self._region = region
        self.credentials = credentials

    async def signed(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> dict[str, str]:
        """The headers, completed by those that prove who asks for exactly this.

        Raises:
            StoreUnavailable: see `ChainCredentials.current`.
        """
        query = urlencode(params)
        if "+" in query:
            raise StoreError(f"a query with a space cannot be signed: {query}")
        credentials = await self.credentials.current()
        url = f"{self._base}{path}?{query}" if query else f"{self._base}{path}"
        request = AWSRequest(method=method, url=url, data=body or b"", headers=dict(headers))
        signer = SigV4Auth(credentials, SERVICE, self._region)
        request.headers["X-Amz-Content-SHA256"] = signer.payload(request)
        signer.add_auth(request)
        return {name.lower(): value for name, value in request.headers.items()}


def _seen(task: "asyncio.Task[ReadOnlyCredentials]") -> None:
    """Whoever waits sees a failure; where nobody does, the credentials in use still hold."""
    if not task.cancelled():
        task.exception()


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
