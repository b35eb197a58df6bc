"""Fakes and suites for tests of the runtime and of the services."""

from dwh_runtime.testing.aws import MemoryAws, PublishedMessage, SentMessage
from dwh_runtime.testing.settings import base_environment

__all__ = ["MemoryAws", "PublishedMessage", "SentMessage", "base_environment"]
