import pytest
from faststream_sqs.testing.suite import QueueSemanticsSuite

pytestmark = pytest.mark.integration


class TestMinistack(QueueSemanticsSuite):
    pass
