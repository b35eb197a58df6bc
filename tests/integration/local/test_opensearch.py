"""The node is ours, its jars are the committed ones."""

import httpx
import pytest
from dwh_local import opensearch
from dwh_local.errors import LocalError
from dwh_local.ivy import verified
from dwh_local.jars import LINES, line_for


def test_the_node_answers_under_its_own_cluster_name(opensearch_node: opensearch.Node, tmp_path) -> None:
    assert httpx.get(opensearch_node.url).json()["cluster_name"].startswith("dwh-")
    assert not opensearch.answers(opensearch_node.url, tmp_path), "another directory means another node"


def test_a_changed_jar_is_refused() -> None:
    installation = opensearch.install()
    directory, sums = installation.jars[0].parent, LINES[line_for(installation.java)].jars.sums
    assert len(verified(directory, sums)) == len(sums)
    with pytest.raises(LocalError, match="differs from its committed SHA-256 sum"):
        verified(directory, {**sums, min(sums): "0" * 64})


@pytest.mark.parametrize("port", [9199, 9300])
def test_a_port_the_runner_cannot_use_is_refused(tmp_path, port: int) -> None:
    with pytest.raises(LocalError, match="outside 9201 to 9298"):
        opensearch.prepare(tmp_path, port)
