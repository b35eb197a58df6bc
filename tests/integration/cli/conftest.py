"""The command line at a real node, in an environment of the test's own."""

import os
import subprocess
import sys

import pytest
from dwh_eventstore import StoreSettings, bootstrap, open_store


@pytest.fixture
async def store(opensearch_node, environment):
    settings = StoreSettings(opensearch_node.url, environment=environment, service="test")
    await bootstrap(settings)
    opened = await open_store(settings)
    yield opened
    await opened.close()


@pytest.fixture
def dwh_at_node(opensearch_node, environment):
    def run(*arguments):
        variables = {"DWH_ENVIRONMENT": environment, "DWH_OPENSEARCH_URL": opensearch_node.url}
        return subprocess.run(
            [sys.executable, "-m", "dwh_cli", *arguments],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run
