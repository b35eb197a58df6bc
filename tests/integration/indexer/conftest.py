import pytest
from dwh_local.running import running_service


@pytest.fixture
async def indexer(names, opensearch_node, aws_environment):
    async with running_service("indexer", names, opensearch_node, aws_environment) as running:
        yield running
