import json

import pytest
from dwh_local.running import Inbox, running_service

CONFIG = {
    "version": "2.0",
    "workflows": {
        "transform_images": {
            "on_success": [
                {
                    "id": "filter",
                    "type": "sqs_mwaa",
                    "dag_id": "filter_image_glue_pyspark",
                    "parameter_mapping": {"start_date": "job.metrics.start_date"},
                }
            ]
        }
    },
}


@pytest.fixture
async def orchestrator(names, opensearch_node, aws_environment):
    uri = f"s3://{names.name('code')}/orchestration/workflow_config.json"
    async with running_service(
        "orchestrator",
        names,
        opensearch_node,
        aws_environment,
        DWH_MWAA_TRIGGERS_QUEUE_URL=names.queue_url("mwaa-triggers"),
        DWH_WORKFLOW_CONFIG_URI=uri,
    ) as running:
        await running.aws.objects.put(uri, json.dumps(CONFIG).encode())
        yield running


@pytest.fixture
def triggers(names):
    return Inbox(names, "mwaa-triggers")
