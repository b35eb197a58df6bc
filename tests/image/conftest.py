"""The image, built once per run, over the real node and the AWS stand-in."""

import containers
import pytest
from dwh_local import topology
from dwh_local.running import running_service
from dwh_local.testing import (  # noqa: F401 - fixtures
    aws_environment,
    environment,
    gateway,
    nodes,
    opensearch_node,
)

SERVICES = ("indexer", "alerts", "orchestrator", "approvals")


@pytest.fixture(scope="session")
def image():
    if reason := containers.lacking():
        pytest.skip(reason)
    return containers.Image()


@pytest.fixture(params=SERVICES)
def service(request):
    return request.param


@pytest.fixture
async def line(service, gateway, environment, opensearch_node, aws_environment):  # noqa: F811
    """A service's queue, topics and store, and the settings under which it runs."""
    # approvals knows people by name alone only where the environment is `local`
    names = topology.apply(gateway.endpoint_url, "local" if service == "approvals" else environment)
    settings = {
        "DWH_JOB_EVENTS_TOPIC_ARN": names.topic_arn("job-events"),
        "DWH_JOB_APPROVALS_TOPIC_ARN": names.topic_arn("job-approvals"),
        "DWH_ALERTS_WARNING_TOPIC_ARN": names.topic_arn("quality-alerts-warning"),
        "DWH_ALERTS_CRITICAL_TOPIC_ARN": names.topic_arn("quality-alerts-critical"),
        "DWH_MWAA_TRIGGERS_QUEUE_URL": names.queue_url("mwaa-triggers"),
        "DWH_WORKFLOW_CONFIG_URI": f"s3://{names.name('code')}/orchestration/workflow_config.json",
        "DWH_CSRF_KEYS": "a-csrf-key-of-this-test-that-is-long-enough",
        "DWH_AUTH_MODE": "local",
    }
    async with running_service(service, names, opensearch_node, aws_environment, **settings) as running:
        await running.aws.objects.put(settings["DWH_WORKFLOW_CONFIG_URI"], WORKFLOW)
        running.container_settings = {
            name: value for name, value in running._variables.items() if name.startswith(("DWH_", "AWS_"))
        }
        yield running


WORKFLOW = (containers.ROOT / "tests" / "contracts" / "golden" / "workflow_config_v2.json").read_bytes()


@pytest.fixture
def start(image, environment):  # noqa: F811
    """Start a program of the image; what still runs at the end is removed."""
    started = []

    def start(variables, *arguments):
        container = image.start(f"dwh-{environment}-{len(started)}", variables, *arguments)
        started.append(container)
        return container

    yield start
    for container in started:
        container.remove()
