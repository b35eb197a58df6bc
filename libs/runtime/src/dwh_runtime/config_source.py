"""A configuration file in force: the newest good version that was ever seen.

Guarantees that a bad or unreadable version never replaces a good one, and that a restart beside a bad
file goes on with the last good copy, which is kept in the store under `config|<name>`.
"""

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from dwh_contracts import facts
from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.parse import event_from_body
from dwh_contracts.times import format_time
from dwh_contracts.workflow import ConfigRefused, WorkflowConfig, load_workflow_config

from dwh_runtime.announce import Record
from dwh_runtime.aws import AwsError, Objects
from dwh_runtime.logging import get_logger
from dwh_runtime.metrics import CONFIG_VERSION_INFO

log = get_logger(__name__)

WORKFLOW_CONFIG = "workflow_config"
REFRESH_SECONDS = 30.0
REASON_CHARACTERS = 2_000
C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)


class ConfigMissing(Exception):  # noqa: N818 - a state, shown by readiness
    """No good version was ever seen; nothing is consumed until there is one."""


@dataclass(frozen=True, slots=True)
class ConfigInForce(Generic[C]):
    """A good config with the names its decisions are recorded under."""

    config: C
    version: str
    etag: str


class Loaded(Protocol[C_co]):
    """A good config and what its author should know."""

    @property
    def config(self) -> C_co:
        """What was read."""
        ...

    @property
    def warnings(self) -> list[str]:
        """Shown, never refused for."""
        ...


class Copies(Protocol):
    """Where last good copies are kept; `dwh_eventstore.Documents`, structurally."""

    async def get(self, key: str) -> Any:
        """The newest version, or None."""
        ...

    async def create(self, key: str, body: JsonObject) -> bool:
        """Write the first version; False if there is one."""
        ...

    async def replace(self, versioned: Any, body: JsonObject) -> bool:
        """Write over exactly this version."""
        ...


Report = Callable[[str, str, str, str | None], Awaitable[None]]
"""Called with `config_accepted` or `config_rejected`, version, ETag and the reason of a refusal."""


class ConfigSource(Generic[C]):
    """Reads the config at start and every 30 s by conditional GET."""

    def __init__(
        self,
        name: str,
        uri: str,
        load: Callable[[bytes], Loaded[C]],
        *,
        objects: Objects,
        copies: Copies,
        report: Report,
        service: str,
        clock: Clock,
    ) -> None:
        """`load` raises `ConfigRefused` for a file that may not come into force."""
        self._name = name
        self._uri = uri
        self._load = load
        self._objects = objects
        self._copies = copies
        self._report = report
        self._service = service
        self._clock = clock
        self._looking = asyncio.Lock()
        self._current: ConfigInForce[C] | None = None
        self._seen_etag: str | None = None
        self._shown: tuple[str, ...] | None = None
        self.problem: str | None = None

    def current(self) -> ConfigInForce[C]:
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
        """Look once; keeps what is in force whatever is found. What fails is done again at the next look."""
        async with self._looking:
            await self._look()

    async def run(self) -> None:
        """Refresh until cancelled; a store that is away is the gate's to report."""
        while True:
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - the edge of background work
                log.warning("config_not_refreshed", config=self._name, error=str(error))
            await self._clock.sleep(REFRESH_SECONDS)

    async def _look(self) -> None:
        try:
            fetched = await self._objects.get(self._uri, self._seen_etag)
        except AwsError as error:
            self.problem = f"not readable: {error}"
            log.warning("config_unreadable", config=self._name, uri=self._uri, error=str(error))
            await self._restore()
            return
        if fetched is None:
            return
        await self._take(fetched.body, fetched.etag)
        self._seen_etag = fetched.etag

    async def _take(self, raw: bytes, etag: str) -> None:
        version = version_of(raw)
        try:
            loaded = self._load(raw)
        except ConfigRefused as refused:
            self.problem = str(refused)
            log.error("config_rejected", config=self._name, version=version, problems=refused.problems)
            await self._restore()
            self._show("bad")
            await self._report("config_rejected", version, etag, str(refused)[:REASON_CHARACTERS])
            return
        self.problem = None
        self._current = ConfigInForce(loaded.config, version, etag)
        self._show("good")
        log.info("config_accepted", config=self._name, version=version, warnings=loaded.warnings)
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
        key = copy_key(self._name)
        kept = await self._copies.get(key)
        if kept is None:
            await self._copies.create(key, body)
        elif kept.body.get("version") != body["version"]:
            await self._copies.replace(kept, body)

    async def _restore(self) -> None:
        if self._current is not None:
            return
        kept = await self._copies.get(copy_key(self._name))
        if kept is None:
            return
        raw = base64.b64decode(str(kept.body["raw"]))
        self._current = ConfigInForce(self._load(raw).config, version_of(raw), str(kept.body["etag"]))
        self._show("bad")
        log.warning("config_restored", config=self._name, version=self._current.version, problem=self.problem)

    def _show(self, state: str) -> None:
        """Say in the metrics what is in force, and nothing of what was before; others have their own."""
        if self._current is None:
            return
        if self._shown is not None:
            CONFIG_VERSION_INFO.remove(*self._shown)
        self._shown = (self._service, self._name, self._current.version, state)
        CONFIG_VERSION_INFO.labels(*self._shown).set(1)


def copy_key(name: str) -> str:
    """Where the last good copy of a config is kept."""
    return f"config|{name}"


def version_of(raw: bytes) -> str:
    """Name of a config version: the first 12 hex digits of the file's SHA-256."""
    return hashlib.sha256(raw).hexdigest()[:12]


def config_reporter(name: str, record: Record, environment: str, service: str, clock: Clock) -> Report:
    """Records `config_accepted` and `config_rejected` as facts of a service."""

    async def report(event_type: str, version: str, etag: str, reason: str | None) -> None:
        now = clock.now()
        body = facts.system_fact(
            event_type,
            environment=environment,
            service=service,
            subject=copy_key(name),
            version=version,
            timestamp=now,
            now=now,
            etag=etag,
            reason=reason,
        )
        await record([event_from_body(body)])

    return report


def workflow_config(
    uri: str,
    *,
    objects: Objects,
    copies: Copies,
    record: Record,
    environment: str,
    service: str,
    clock: Clock,
) -> ConfigSource[WorkflowConfig]:
    """The source of the workflow config, as every service that follows it reads it."""
    return ConfigSource(
        WORKFLOW_CONFIG,
        uri,
        load_workflow_config,
        objects=objects,
        copies=copies,
        report=config_reporter(WORKFLOW_CONFIG, record, environment, service, clock),
        service=service,
        clock=clock,
    )
