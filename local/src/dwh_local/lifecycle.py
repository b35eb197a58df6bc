"""Bring the whole system up, take it down, say how it is.

`up` is idempotent: what runs and is unchanged is left alone, what changed is restarted, what is missing is
created. It returns when every wanted part is ready, and raises LocalError naming the part that is not.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources

from dwh_eventstore.bootstrap import bootstrap
from dwh_eventstore.settings import StoreSettings

from dwh_local import airflow, opensearch, topology
from dwh_local.aws import client
from dwh_local.environment import SERVICES, WORKFLOW_CONFIG
from dwh_local.errors import NotReady
from dwh_local.ports import require_free
from dwh_local.programs import AIRFLOW, COURIER, TIMER, programs, readiness
from dwh_local.progress import Progress
from dwh_local.supervise import RUNNING, Supervisor
from dwh_local.system import ENVIRONMENT, System, remember
from dwh_local.waiting import until

READY_SECONDS = 120
INFRASTRUCTURE = ("opensearch", "aws")


@dataclass(frozen=True, slots=True)
class PartState:
    """What `status` tells of one part."""

    name: str
    state: str
    detail: str
    address: str | None

    @property
    def ready(self) -> bool:
        """Whether the part does its work."""
        return self.state == "ready"


def up(system: System, progress: Progress, *, with_airflow: bool = True, with_services: bool = True) -> None:
    """Start what is wanted and return when all of it is ready."""
    wanted = _wanted(system, with_airflow=with_airflow, with_services=with_services)
    with progress.part("jars and archive", "verified"):
        installation = opensearch.install(system.place, say=progress.say)
    listed = programs(system, installation)
    supervisor = Supervisor(system.place)
    running = _running(supervisor)
    require_free({p.name: p.port for n, p in listed.items() if n in wanted and n not in running and p.port})
    remember(system)
    supervisor.start_daemon()
    opensearch.prepare(system.place.state / "opensearch", system.ports.opensearch)
    changed = {name for name, program in listed.items() if supervisor.define(program)}
    supervisor.stop((changed & running) | ({COURIER} - set(wanted)))
    _Start(system, supervisor, progress).everything(wanted)


def down(system: System, *, purge: bool = False) -> None:
    """Stop everything; `purge` also removes all state. Downloads stay. Harmless when nothing runs."""
    supervisor = Supervisor(system.place)
    if supervisor.alive():
        running = _running(supervisor)
        supervisor.stop([name for name in running if name not in INFRASTRUCTURE])
        supervisor.stop(INFRASTRUCTURE)
        supervisor.shutdown()
        airflow.stop_leftovers(system.place)
    if purge:
        shutil.rmtree(system.place.state, ignore_errors=True)


def status(system: System) -> list[PartState]:
    """How each part is, seen from outside where it can be."""
    supervisor = Supervisor(system.place)
    if not supervisor.alive():
        return []
    ports = dict(system.ports.items())
    found = []
    for name, info in supervisor.states().items():
        state = str(info["statename"]).lower()
        if state == "running":
            state = "ready" if readiness(system, name)() else "not ready"
        port = ports.get(name) or (system.ports.airflow if name == "airflow-api" else None)
        address = f"http://127.0.0.1:{port}" if port else None
        found.append(PartState(name, state, str(info["description"]), address))
    return found


def _wanted(system: System, *, with_airflow: bool, with_services: bool) -> list[str]:
    wanted = [
        *INFRASTRUCTURE,
        *(AIRFLOW if with_airflow else ()),
        *((*SERVICES, TIMER) if with_services else ()),
    ]
    return [*wanted, *([COURIER] if system.faults.active else [])]


def _running(supervisor: Supervisor) -> set[str]:
    if not supervisor.alive():
        return set()
    return {name for name, info in supervisor.states().items() if info["statename"] == RUNNING}


class _Start:
    """Start parts together, each after what it needs."""

    def __init__(self, system: System, supervisor: Supervisor, progress: Progress) -> None:
        self.system, self.supervisor, self.progress = system, supervisor, progress

    def everything(self, wanted: Iterable[str]) -> None:
        names = list(wanted)
        with ThreadPoolExecutor(max_workers=len(names) + 2) as pool:
            aws, node = pool.submit(self._aws), pool.submit(self._node)
            parts = [aws, node]
            if AIRFLOW[0] in names:
                parts.append(pool.submit(self._airflow, aws))
            parts += [
                pool.submit(self._program, name, (aws, node))
                for name in names
                if name not in {*INFRASTRUCTURE, *AIRFLOW}
            ]
        for part in parts:
            part.result()

    def _aws(self) -> None:
        self._program("aws")
        with self.progress.part("topology", "applied"):
            names = topology.apply(
                self.system.names.endpoint_url, ENVIRONMENT, held=self.system.faults.active
            )
            config = resources.files("dwh_local").joinpath("data", "workflow_config.json").read_bytes()
            s3 = client("s3", names.endpoint_url)
            s3.put_object(Bucket=names.name("code"), Key=WORKFLOW_CONFIG, Body=config)

    def _node(self) -> None:
        self._program("opensearch")
        with self.progress.part("indices", "bootstrapped"):
            settings = StoreSettings(
                url=self.system.opensearch_url, environment=ENVIRONMENT, replicas=0, service="bootstrap"
            )
            asyncio.run(bootstrap(settings))

    def _airflow(self, aws: Future[None]) -> None:
        airflow.ensure_database(self.system.place)
        if self.supervisor.state("airflow-scheduler") != RUNNING:
            airflow.release_dispatcher(self.system.place)
        for name in AIRFLOW:
            if name != "airflow-scheduler":
                self.supervisor.start(name)
        aws.result()
        self.supervisor.start("airflow-scheduler")
        url = self.system.url("airflow")
        with self.progress.part("airflow"):
            self._await(AIRFLOW, lambda: airflow.healthy(url), every_seconds=0.5)
        with self.progress.part(airflow.DISPATCHER, "waits for messages"):
            self._await(AIRFLOW, lambda: airflow.dispatching(url), every_seconds=0.5)

    def _program(self, name: str, after: Iterable[Future[None]] = ()) -> None:
        for needed in after:
            needed.result()
        with self.progress.part(name):
            self.supervisor.start(name)
            ready = readiness(self.system, name)
            self._await((name,), lambda: self.supervisor.state(name) == RUNNING and ready())

    def _await(self, names: tuple[str, ...], ready: Callable[[], bool], every_seconds: float = 0.2) -> None:
        def failed() -> list[str]:
            return [name for name in names if self.supervisor.state(name) in {"FATAL", "EXITED"}]

        reached = until(lambda: bool(failed()) or ready(), seconds=READY_SECONDS, every_seconds=every_seconds)
        if not reached or failed():
            name = (failed() or list(names))[0]
            raise NotReady(
                f"{name} is not ready (log: {self.supervisor.log(name)}):\n{self.supervisor.tail(name)}"
            )
