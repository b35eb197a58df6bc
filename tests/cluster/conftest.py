"""One cluster, one local system without services, one release, for the whole run. Tests stand in an order."""

import os
import subprocess
import sys

import containers
import kube
import pytest
from dwh_local import lifecycle
from dwh_local.progress import Progress
from dwh_local.system import local_system
from load import Load

SLOT, STATE = "11", ".dwh-cluster"


def progress(line):
    sys.stderr.write(f"{line}\n")


@pytest.fixture(scope="session")
def cluster():
    if reason := kube.lacking():
        pytest.skip(f"nothing ran: {reason}")
    containers.Image()
    running = kube.Cluster()
    running.load(kube.IMAGE, kube.NEXT)
    yield running
    running.down()


@pytest.fixture(scope="session")
def system(cluster):
    for name in [name for name in os.environ if name.startswith(("DWH_", "AWS_"))]:
        if name != "DWH_TEST_IMAGE":
            del os.environ[name]
    os.environ.update(DWH_LOCAL_SLOT=SLOT, DWH_LOCAL_STATE=STATE)
    found = local_system()
    lifecycle.down(found, purge=True)
    found = local_system()
    lifecycle.up(found, Progress(progress), with_services=False)
    cluster.forward(found.ports.opensearch, found.ports.aws)
    yield found
    lifecycle.down(found, purge=True)


@pytest.fixture(scope="session")
def release(cluster, system, tmp_path_factory):
    return kube.Release(cluster, system, tmp_path_factory.mktemp("release"))


@pytest.fixture
def endings(cluster, release):
    with kube.Endings(cluster, release.namespace) as watched:
        yield watched


@pytest.fixture
def load(system, request):
    return Load(system, request.node.name.removeprefix("test_")[:24].strip("_"))


@pytest.fixture
def dwh(system):
    """A verb of the command line against the local system, as a person types it."""

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "dwh_cli", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run
