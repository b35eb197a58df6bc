from typing import ClassVar

import pytest
from faststream_sqs.testing.suite import QueueSemanticsSuite

pytestmark = pytest.mark.integration


class TestMinistack(QueueSemanticsSuite):
    pass


class TestFauxqs(QueueSemanticsSuite):
    exempt: ClassVar = {
        "test_delete_with_a_bad_receipt_fails_alone": "answers that a receipt which never was is deleted",
        "test_messages_of_one_fifo_group_come_in_one_receive": "brings one message of a group per receive",
    }

    @pytest.fixture
    def endpoint(self, fauxqs):
        return fauxqs
