"""`dwh bootstrap` against a real node that is too old for what the store rests on."""

import os
import subprocess
import sys

import httpx
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.prove]


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_on_a_node_of_2_17_bootstrap_refuses_says_why_and_makes_nothing(nodes, arguments):
    node = nodes("2.17")
    answer = subprocess.run(
        [sys.executable, "-m", "dwh_cli", "bootstrap", *arguments],
        env=os.environ | {"DWH_ENVIRONMENT": "local", "DWH_OPENSEARCH_URL": node.url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    indices = httpx.get(f"{node.url}/_cat/indices", params={"format": "json"}).json()
    templates = httpx.get(f"{node.url}/_index_template").json()["index_templates"]
    settings = httpx.get(f"{node.url}/_cluster/settings").json()["persistent"]
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "OpenSearch 2.17.1 cannot hold the event store: it needs 2.19 or later" in answer.stderr
    assert "the engine itself refuses to change or delete" in answer.stderr
    assert (indices, templates, settings) == ([], [], {})
