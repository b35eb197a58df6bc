"""The workflow config in force: the newest good version that was ever seen.

Guarantees that a bad or unreadable version never replaces a good one, and that a restart beside a bad
file goes on with the last good copy, which is kept in the store under `config|workflow_config`.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.times import format_time
from dwh_contracts.workflow import ConfigRefused, WorkflowConfig, load_workflow_config
from dwh_eventstore import Documents
from dwh_runtime.aws import AwsError, Objects
from dwh_runtime.logging import get_logger

log = get_logger(__name__)

KEY = "config|workflow_config"
REFRESH_SECONDS = 30.0
REASON_CHARACTERS = 2_000


class ConfigMissing(Exception):  # noqa: N818 - a state, shown by readiness
    """No good workflow config was ever seen; nothing is consumed until there is one."""


@dataclass(frozen=True, slots=True)
class ConfigInForce:
    """A good config with the names its decisions are recorded under."""

    config: WorkflowConfig
    version: str
    etag: str


Report = Callable[[str, str, str, str | None], Awaitable[None]]
"""Called with `config_accepted` or `config_rejected`, version, ETag and the reason of a refusal."""


class ConfigSource:
    """Reads the config at start and every 30 s by conditional GET."""

    def __init__(
        self, uri: str, *, objects: Objects, copies: Documents, report: Report, clock: Clock
    ) -> None:
        self._uri = uri
        self._objects = objects
        self._copies = copies
        self._report = report
        self._clock = clock
        self._current: ConfigInForce | None = None
        self._seen_etag: str | None = None
        self.problem: str | None = None

    def current(self) -> ConfigInForce:
        """The config in force.

        Raises:
            ConfigMissing: no good one was ever seen.
        """
        if self._current is None:
            raise ConfigMissing(f"{self._uri}: {self.problem or 'not read yet'}")
        return self._current

    async def ready(self) -> None:
        """Return when a config is in force; reads it when none is. Raises as `current`."""
        if self._current is None:
            await self.refresh()
        self.current()

    async def refresh(self) -> None:
        """Look once; keeps what is in force whatever is found."""
        try:
            fetched = await self._objects.get(self._uri, self._seen_etag)
        except AwsError as error:
            self.problem = f"not readable: {error}"
            log.warning("workflow_config_unreadable", uri=self._uri, error=str(error))
            await self._restore()
            return
        if fetched is None:
            return
        self._seen_etag = fetched.etag
        await self._take(fetched.body, fetched.etag)

    async def run(self) -> None:
        """Refresh until cancelled."""
        while True:
            await self.refresh()
            await self._clock.sleep(REFRESH_SECONDS)

    async def _take(self, raw: bytes, etag: str) -> None:
        version = version_of(raw)
        try:
            loaded = load_workflow_config(raw)
        except ConfigRefused as refused:
            self.problem = str(refused)
            log.error("workflow_config_rejected", uri=self._uri, version=version, problems=refused.problems)
            await self._restore()
            await self._report("config_rejected", version, etag, str(refused)[:REASON_CHARACTERS])
            return
        self.problem = None
        self._current = ConfigInForce(loaded.config, version, etag)
        log.info("workflow_config_accepted", uri=self._uri, version=version, warnings=loaded.warnings)
        await self._keep(raw, etag)
        await self._report("config_accepted", version, etag, None)

    async def _keep(self, raw: bytes, etag: str) -> None:
        body: JsonObject = {
            "kind": "config",
            "created_at": format_time(self._clock.now()),
            "version": version_of(raw),
            "etag": etag,
            "raw": base64.b64encode(raw).decode(),
        }
        kept = await self._copies.get(KEY)
        if kept is None:
            await self._copies.create(KEY, body)
        elif kept.body.get("version") != body["version"]:
            await self._copies.replace(kept, body)

    async def _restore(self) -> None:
        if self._current is not None:
            return
        kept = await self._copies.get(KEY)
        if kept is None:
            return
        raw = base64.b64decode(str(kept.body["raw"]))
        loaded = load_workflow_config(raw)
        self._current = ConfigInForce(loaded.config, version_of(raw), str(kept.body["etag"]))
        log.warning("workflow_config_restored", version=self._current.version, problem=self.problem)


def version_of(raw: bytes) -> str:
    """Name of a config version: the first 12 hex digits of the file's SHA-256."""
    return hashlib.sha256(raw).hexdigest()[:12]
