"""Annotations that hand the broker's objects to handlers."""

from typing import Annotated

from faststream import Context
from faststream.annotations import ContextRepo, Logger
from faststream.params import NoCast

from faststream_sqs.broker import SQSBroker
from faststream_sqs.message import SQSBatchMessage, SQSMessage

__all__ = ("BatchMessage", "Broker", "ContextRepo", "Logger", "Message", "NoCast")

Message = Annotated[SQSMessage, Context("message")]
BatchMessage = Annotated[SQSBatchMessage, Context("message")]
Broker = Annotated[SQSBroker, Context("broker")]
