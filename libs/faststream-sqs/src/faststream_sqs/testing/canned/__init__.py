"""An SQS server that answers from memory, as fast as a socket allows, and fails when it is told to."""

from faststream_sqs.testing.canned.faults import Fault
from faststream_sqs.testing.canned.queues import CannedQueue
from faststream_sqs.testing.canned.server import CannedSQS

__all__ = ("CannedQueue", "CannedSQS", "Fault")
