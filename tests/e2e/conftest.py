"""One local system for these tests alone: its own slot, its own state folder, purged at the end."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from dwh_local import lifecycle
from dwh_local.paths import checkout
from dwh_local.supervise import Supervisor
from dwh_local.system import local_system

SLOT, STATE = "9", ".dwh-e2e"
ROOT = checkout().root
DWH = [sys.executable, "-m", "dwh_cli"]


class Live:
    """The system of these tests, driven by the commands a person types."""

    def __init__(self, results):
        self.results = results
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("DWH_", "AWS_", "DEMO_"))}
        self.environment = kept | {"DWH_LOCAL_SLOT": SLOT, "DWH_LOCAL_STATE": STATE}

    @property
    def system(self):
        return local_system()

    def dwh(self, *arguments):
        return subprocess.run(
            [*DWH, *arguments], env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )

    def demo(self, name, kills=None, **variables):
        """Run the demo; at each line that a key of `kills` matches, kill -9 that service. Its summary."""
        kills = dict(kills or {})
        lines = []
        with subprocess.Popen(
            [sys.executable, "-m", "dwh_local.demo"],
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            for line in process.stdout:
                lines.append(line)
                for pattern in [pattern for pattern in kills if re.search(pattern, line)]:
                    self.kill(kills.pop(pattern))
        assert process.returncode == 0, "".join(lines[-40:])
        assert kills == {}, "a service was never killed"
        path = self.results / f"{name}.json"
        path.write_bytes((self.system.place.state / "demo.json").read_bytes())
        return path

    def kill(self, service):
        os.kill(Supervisor(self.system.place).states()[service]["pid"], signal.SIGKILL)

    def search(self, index, **terms):
        query = {"bool": {"filter": [{"term": {name: value}} for name, value in terms.items()]}}
        answer = httpx.post(
            f"{self.system.opensearch_url}/{index}/_search",
            params={"ignore_unavailable": "true"},
            json={"size": 1000, "query": query},
            timeout=20,
        )
        return [hit["_source"] for hit in answer.raise_for_status().json()["hits"]["hits"]]

    def purge(self):
        lifecycle.down(self.system, purge=True)


@pytest.fixture(scope="session")
def live(tmp_path_factory):
    for name, value in (("DWH_LOCAL_SLOT", SLOT), ("DWH_LOCAL_STATE", STATE)):
        os.environ[name] = value
    running = Live(tmp_path_factory.mktemp("demos"))
    running.purge()
    yield running
    running.purge()


@pytest.fixture(scope="session")
def plain(live):
    """The plain demo, its system left running."""
    return live.demo("plain", DEMO_KEEP="1")


@pytest.fixture(scope="session")
def golden():
    return Path(__file__).parents[1] / "contracts" / "golden"


@pytest.fixture
def summary(plain):
    return json.loads(plain.read_bytes())
