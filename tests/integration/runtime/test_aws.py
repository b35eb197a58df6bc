import pytest
from aiobotocore.session import get_session
from dwh_runtime.aws import AwsClients, AwsRefused, AwsUnavailable
from dwh_runtime.testing.aws_suite import AwsSuite

pytestmark = pytest.mark.integration


class TestAwsClients(AwsSuite):
    @pytest.fixture(autouse=True)
    async def _clients(self, names, aws_environment):
        self.topic_arn = names.topic_arn("job-events")
        self.queue_url = names.queue_url("mwaa-triggers")
        self.bucket = names.name("code")
        async with AwsClients("us-east-1") as self._aws:
            yield

    def aws(self):
        return self._aws

    async def test_an_unknown_queue_is_refused_and_named(self):
        with pytest.raises(AwsRefused, match="no-such-queue"):
            await self._aws.queues.send(self.queue_url + "-no-such-queue", b"{}", {})

    async def test_the_depth_of_an_unknown_queue_is_refused(self):
        with pytest.raises(AwsRefused, match="no-such-queue"):
            await self._aws.queues.depth(self.queue_url + "-no-such-queue")


async def test_an_absent_server_is_unavailable(aws_environment, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    async with AwsClients("us-east-1") as aws:
        with pytest.raises(AwsUnavailable):
            await aws.topics.publish("arn:aws:sns:us-east-1:000000000000:x", b"{}", {})


async def test_a_sent_message_carries_the_trace_it_belongs_to(names, aws_environment):
    queue = names.queue_url("mwaa-triggers")
    async with AwsClients("us-east-1", lambda: {"traceparent": "00-a-b-01"}) as aws:
        await aws.queues.send(queue, b"{}", {"dag_id": "x"})
    async with get_session().create_client("sqs", region_name="us-east-1") as client:
        received = await client.receive_message(QueueUrl=queue, MessageAttributeNames=["All"])
    [message] = received["Messages"]
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes == {"dag_id": "x", "traceparent": "00-a-b-01"}
