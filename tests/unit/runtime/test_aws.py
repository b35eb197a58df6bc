import pytest
from dwh_runtime.aws import AwsUnavailable
from dwh_runtime.testing import MemoryAws
from dwh_runtime.testing.aws_suite import AwsSuite


class TestMemoryAws(AwsSuite):
    topic_arn = "arn:aws:sns:us-east-1:000000000000:dwh-local-job-events"
    queue_url = "http://127.0.0.1:8085/000000000000/dwh-local-mwaa-triggers"
    bucket = "dwh-local-code"

    @pytest.fixture(autouse=True)
    def _fresh(self):
        self._aws = MemoryAws()

    def aws(self):
        return self._aws

    async def test_a_planned_failure_comes_once(self):
        self._aws.topics.failures.append(AwsUnavailable("throttled"))
        with pytest.raises(AwsUnavailable):
            await self._aws.topics.publish(self.topic_arn, b"{}", {})
        await self._aws.topics.publish(self.topic_arn, b"{}", {})
        assert len(self._aws.topics.published) == 1
