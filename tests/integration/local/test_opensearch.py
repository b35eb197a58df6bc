"""The node is ours, its jars are the committed ones."""

import subprocess
import sys

import httpx
import pytest
from dwh_local import java, opensearch
from dwh_local.errors import LocalError
from dwh_local.ivy import verified
from dwh_local.jars import LINES, line_for
from dwh_local.paths import checkout
from dwh_local.testing import free_port


def test_the_node_answers_under_its_own_cluster_name(opensearch_node: opensearch.Node, tmp_path) -> None:
    assert httpx.get(opensearch_node.url).json()["cluster_name"].startswith("dwh-")
    assert not opensearch.answers(opensearch_node.url, tmp_path), "another directory means another node"


def test_a_changed_jar_is_refused() -> None:
    installation = opensearch.install()
    directory, sums = installation.jars[0].parent, LINES[line_for(installation.java)].jars.sums
    assert len(verified(directory, sums)) == len(sums)
    with pytest.raises(LocalError, match="differs from its committed SHA-256 sum"):
        verified(directory, {**sums, min(sums): "0" * 64})


@pytest.mark.prove
def test_where_no_java_fits_3_8_runs_on_the_one_of_a_python_package(tmp_path, monkeypatch) -> None:
    setup = checkout().root / "scripts" / "setup.py"
    subprocess.run([sys.executable, str(setup), "java"], check=True)
    monkeypatch.setattr(java, "_INSTALLED", ())
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    installation = opensearch.install(line="3.8")
    assert installation.java.small
    port = free_port(opensearch.LOWEST_PORT, opensearch.HIGHEST_PORT - 1, skip=4)
    node = opensearch.start_installed(installation, tmp_path, port)
    assert httpx.get(node.url, timeout=60).json()["version"]["number"] == "3.8.0"
    assert httpx.put(f"{node.url}/one/_create/a", json={"n": 1}, timeout=60).status_code == 201
    node.stop()


@pytest.mark.parametrize("port", [9199, 9300])
def test_a_port_the_runner_cannot_use_is_refused(tmp_path, port: int) -> None:
    with pytest.raises(LocalError, match="outside 9201 to 9298"):
        opensearch.prepare(tmp_path, port)
