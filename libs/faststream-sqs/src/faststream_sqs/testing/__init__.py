from faststream_sqs.testing.broker import TestSQSBroker
from faststream_sqs.testing.clock import JumpingClock, ManualClock, eventually
from faststream_sqs.testing.control import RecordingControl, Settlement, a_delivery
from faststream_sqs.testing.memory import MemoryTransport
from faststream_sqs.testing.objects import MemoryObjects

__all__ = (
    "JumpingClock",
    "ManualClock",
    "MemoryObjects",
    "MemoryTransport",
    "RecordingControl",
    "Settlement",
    "TestSQSBroker",
    "a_delivery",
    "eventually",
)
