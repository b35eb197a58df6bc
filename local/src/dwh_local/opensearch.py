"""A real OpenSearch node in one JVM.

Promises that the node that answers is the one that was started: the runner silently takes the next port when
its own is taken, so the cluster name is compared, not only the port probed.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from dwh_local.children import Child
from dwh_local.errors import LocalError, NotReady
from dwh_local.jars import ensure_jars, line_for, line_named
from dwh_local.java import Java, find_java, java_of
from dwh_local.paths import Checkout, checkout
from dwh_local.waiting import until

LOWEST_PORT, HIGHEST_PORT = 9201, 9298  # outside 9200 to 9299 the runner exits without a message
READY_SECONDS = 90
HEAP = "512m"


@dataclass(frozen=True, slots=True)
class Installation:
    """Java and jars of one line, ready to start nodes from."""

    java: Java
    jars: Sequence[Path]
    archive: Path | None = None
    """Loaded classes of an earlier start: with it a node is up in 3 s instead of 8."""
    plugins: Sequence[str] = ()
    """Classes of plugins beyond the runner's own, found in the jars."""

    def command(self, directory: Path, port: int, *, archiving: bool = False) -> list[str]:
        """The command line of a node that keeps its data under `directory`."""
        flag = "ArchiveClassesAtExit" if archiving else "SharedArchiveFile"
        return [
            self.java.path,
            f"-Xms{HEAP}",
            f"-Xmx{HEAP}",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            *([f"-XX:{flag}={self.archive}"] if self.archive else []),
            "-Xshare:auto",
            "-Xlog:cds=off",
            "-Xlog:cds+dynamic=off",
            "-cp",
            ":".join(str(jar) for jar in self.jars),
            "org.codelibs.opensearch.runner.OpenSearchRunner",
            *("-basePath", str(directory), "-numOfNode", "1", "-baseHttpPort", str(port - 1)),
            *("-clusterName", cluster_name(directory)),
            *(["-pluginTypes", ",".join(self.plugins)] if self.plugins else []),
        ]


@dataclass(frozen=True, slots=True)
class Node:
    """A running node."""

    url: str
    process: Child

    def stop(self) -> None:
        """End the node; its data stay."""
        self.process.stop()


def cluster_name(directory: Path) -> str:
    """A name no other node on this machine has: it follows from the data directory."""
    return f"dwh-{hashlib.sha256(str(directory).encode()).hexdigest()[:12]}"


def install(
    place: Checkout | None = None, line: str | None = None, say: Callable[[str], None] = lambda _: None
) -> Installation:
    """Jars of a line (default: the one that fits the Java found, with a class archive), made on first use.

    `say` hears of what takes long, before it is done.

    Raises:
        NoJava: none of those here runs the line that is asked for.
    """
    place = place or checkout()
    if line is not None:
        known = line_named(line)
        java = java_of(known.javas, place)
        with _locked(place.cache / f"opensearch-{line}.lock"):
            return Installation(java, ensure_jars(place, java, known, say))
    usual = find_java()
    plain = install(place, line_for(usual), say)
    with _locked(place.cache / "opensearch.lock"):
        return _archived(plain, say)


def _archived(plain: Installation, say: Callable[[str], None]) -> Installation:
    """The installation with its class archive, made if it is not there yet."""
    identity = "\n".join([plain.java.build, *(str(jar) for jar in plain.jars)])
    name = hashlib.sha256(identity.encode()).hexdigest()[:12]
    installation = replace(plain, archive=plain.jars[0].parents[1] / f"classes-{name}.jsa")
    if installation.archive is not None and not installation.archive.exists():
        say("making the class archive of the OpenSearch node (once, about 20 s)")
        _make_archive(installation, installation.archive.parent / "archiving")
    return installation


def prepare(directory: Path, port: int, settings: Mapping[str, str] | None = None) -> None:
    """Write the node's settings, with more of a test's own; the runner takes them as they are."""
    if not LOWEST_PORT <= port <= HIGHEST_PORT:
        raise LocalError(f"OpenSearch port {port} is outside {LOWEST_PORT} to {HIGHEST_PORT}")
    config = directory / "node_1" / "config"
    config.mkdir(parents=True, exist_ok=True)
    (config / "opensearch.yml").write_text(
        "network.host: 127.0.0.1\n"
        f"transport.port: {port + 100}-{port + 199}\n"
        "discovery.type: single-node\n"
        "cluster.routing.allocation.disk.threshold_enabled: false\n"
        "cluster.max_shards_per_node: 3000\n"
        + "".join(f"{name}: {value}\n" for name, value in (settings or {}).items())
    )


def answers(url: str, directory: Path) -> bool:
    """Whether the node of `directory` serves at `url` and its cluster works."""
    try:
        health = httpx.get(f"{url}/_cluster/health", timeout=2).json()
    except (httpx.HTTPError, ValueError):
        return False
    return health.get("cluster_name") == cluster_name(directory) and health.get("status") in {
        "green",
        "yellow",
    }


def start_node(directory: Path, port: int, line: str | None = None) -> Node:
    """Start a node and return when it works. Raises NotReady with the end of its log."""
    return start_installed(install(line=line), directory, port)


def start_installed(
    installation: Installation,
    directory: Path,
    port: int,
    *,
    archiving: bool = False,
    settings: Mapping[str, str] | None = None,
    ready_seconds: float = READY_SECONDS,
) -> Node:
    """`start_node` from an installation that is at hand."""
    prepare(directory, port, settings)
    url = f"http://127.0.0.1:{port}"
    command = installation.command(directory, port, archiving=archiving)
    named = f"the OpenSearch node on port {port}"
    return Node(url, run(command, directory, lambda: answers(url, directory), named, ready_seconds))


def run(
    command: Sequence[str], directory: Path, works: Callable[[], bool], named: str, ready_seconds: float
) -> Child:
    """The process of a node, once it works; `named` is what errors call it.

    Raises:
        NotReady: it ended, or did not work within so many seconds; with the end of its log.
    """
    child = Child(command, log=directory / "node.log")
    ready = until(lambda: not child.alive() or works(), seconds=ready_seconds)
    if not ready or not child.alive():
        child.stop()
        raise NotReady(f"{named} did not start:\n{child.tail()}")
    return child


def _make_archive(installation: Installation, directory: Path) -> None:
    """Run a node once and let the JVM keep its loaded classes."""
    node = start_installed(installation, directory, HIGHEST_PORT, archiving=True)
    httpx.put(f"{node.url}/warm/_doc/1", params={"refresh": "true"}, json={"name": "warm"}, timeout=30)
    httpx.post(f"{node.url}/warm/_search", json={"query": {"term": {"name": "warm"}}}, timeout=30)
    httpx.delete(f"{node.url}/warm", timeout=30)
    node.process.stop(seconds=60)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
