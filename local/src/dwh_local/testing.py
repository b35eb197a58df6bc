"""Fixtures for tests that need the real node or the AWS stand-in.

`tests/integration/conftest.py` imports them. One node (of each line that is asked for) and one stand-in
per pytest worker, started on first use; a fresh environment name per test keeps the AWS names of tests apart.
"""

from __future__ import annotations

import hashlib
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dwh_local import aws, opensearch, topology
from dwh_local.errors import NoJava, NotReady
from dwh_local.jars import SUPPORTED, line_for
from dwh_local.java import find_java

__all__ = [
    "aws_environment",
    "environment",
    "free_port",
    "gateway",
    "names",
    "node_of_each_line",
    "node_of_each_line_at_length",
    "nodes",
    "opensearch_node",
    "service_port",
]

_SERVICE_PORTS = range(16_000, 17_000)


def free_port(low: int, high: int, *, skip: int = 0) -> int:
    """The highest free port of a range, `skip` free ones left out."""
    for port in range(high, low - 1, -1):
        if not _is_free(port):
            continue
        if skip == 0:
            return port
        skip -= 1
    raise NotReady(f"no free port from {low} to {high}")


def service_port() -> int:
    """A free port for a service under test, drawn: workers that look at one moment get different ones."""
    ports = random.sample(_SERVICE_PORTS, len(_SERVICE_PORTS))
    return next(port for port in ports if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _worker(request: pytest.FixtureRequest) -> int:
    """Number of this pytest-xdist worker (0 without): workers that start together take different ports."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "gw0")
    return int(worker.removeprefix("gw"))


Nodes = Callable[[str | None], opensearch.Node]


@pytest.fixture(scope="session")
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Real nodes of this worker by line (None: the one that the local system runs), started at first use."""
    running: dict[str | None, opensearch.Node] = {}

    def node(line: str | None) -> opensearch.Node:
        if line not in running:
            installation = opensearch.install(line=line)
            directory = tmp_path_factory.mktemp("opensearch")
            port = free_port(opensearch.LOWEST_PORT, opensearch.HIGHEST_PORT - 1, skip=_worker(request) * 3)
            running[line] = opensearch.start_installed(installation, directory, port)
        return running[line]

    yield node
    for each in running.values():
        each.stop()


@pytest.fixture(scope="session")
def opensearch_node(nodes: Nodes) -> opensearch.Node:
    """The real node of this worker."""
    return nodes(None)


@pytest.fixture(scope="session", params=SUPPORTED)
def node_of_each_line(request: pytest.FixtureRequest, nodes: Nodes) -> opensearch.Node:
    """A real node of each line that the store supports, for the tests of what it rests on."""
    return _of_line(request.param, nodes)


@pytest.fixture(
    scope="session",
    params=[SUPPORTED[0], *(pytest.param(line, marks=pytest.mark.prove) for line in SUPPORTED[1:])],
)
def node_of_each_line_at_length(request: pytest.FixtureRequest, nodes: Nodes) -> opensearch.Node:
    """The same for tests that take long: all but the oldest line under `make prove`."""
    return _of_line(request.param, nodes)


def _of_line(line: str, nodes: Nodes) -> opensearch.Node:
    try:
        usual = line_for(find_java())
        return nodes(None if line == usual else line)
    except NoJava as error:
        pytest.skip(f"OpenSearch {line} cannot run: {error}")


@pytest.fixture(scope="session")
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[aws.Gateway]:
    """The AWS stand-in of this worker."""
    port = free_port(15_000, 15_999, skip=_worker(request) * 3)
    running = aws.start_gateway(Path(tmp_path_factory.mktemp("aws")), port)
    yield running
    running.stop()


@pytest.fixture
def environment(request: pytest.FixtureRequest) -> str:
    """An environment name of this test alone."""
    return "t" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:11]


@pytest.fixture
def names(gateway: aws.Gateway, environment: str) -> topology.Names:
    """Topics, queues, subscriptions and buckets of this test alone."""
    return topology.apply(gateway.endpoint_url, environment)


@pytest.fixture
def aws_environment(gateway: aws.Gateway, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The AWS_* variables of the stand-in, set for this test."""
    variables = aws.client_environment(gateway.endpoint_url)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables
