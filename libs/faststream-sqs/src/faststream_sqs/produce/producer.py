"""Encodes what is published and sends it, looking at every entry's result."""

import json
import random
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from faststream.exceptions import FeatureNotSupportedException, IncorrectState

from faststream_sqs._fs import (
    AsyncCallable,
    CodecProto,
    CustomCallable,
    DefaultCodec,
    ParserComposition,
    ProducerProto,
)
from faststream_sqs.clock import Clock, SystemClock
from faststream_sqs.large import Payloads
from faststream_sqs.parking import HEADERS_ATTRIBUTE
from faststream_sqs.parser import CONTENT_TYPE, CORRELATION_ID, SQSParser
from faststream_sqs.produce.coalescer import Coalescer
from faststream_sqs.produce.sizing import InvalidMessageError, batches
from faststream_sqs.response import SQSPublishCommand
from faststream_sqs.schemas import Queue, Topic
from faststream_sqs.transport.protocol import (
    Attribute,
    EntryResult,
    OutgoingMessage,
    Transport,
    TransportError,
    explained,
)

if TYPE_CHECKING:
    from fast_depends.library.serializer import SerializerProto

TRACE_PARENT = "traceparent"
SEND_ATTEMPTS = 5
FIRST_BACK_OFF_SECONDS = 0.1


class PublishError(Exception):
    """Some messages were not taken; `failed` pairs their index with the reason."""

    def __init__(self, failed: Sequence[tuple[int, EntryResult]], target: str = "") -> None:
        self.failed = tuple(failed)
        reasons = ", ".join(f"#{i} {explained(result.code, result.detail)}" for i, result in failed)
        where = f"{target}: " if target else ""
        super().__init__(f"{where}{len(failed)} messages were not taken: {reasons}")


class SQSProducer(ProducerProto[SQSPublishCommand]):
    """Sends to queues and publishes to topics."""

    def __init__(
        self,
        parser: CustomCallable | None = None,
        decoder: CustomCallable | None = None,
        clock: Clock | None = None,
    ) -> None:
        default = SQSParser()
        self._parser: AsyncCallable = ParserComposition(parser, default.parse_message)
        self._decoder: AsyncCallable = ParserComposition(decoder, default.decode_message)
        self.codec: CodecProto = DefaultCodec()
        self._clock = clock or SystemClock()
        self._transport: Transport | None = None
        self._serializer: SerializerProto | None = None
        self._urls: dict[str, str] = {}
        self._coalescer = Coalescer(self._deliver)
        self.payloads: Payloads | None = None

    def connect(self, transport: Transport, serializer: "SerializerProto | None", codec: CodecProto) -> None:
        """Send through this transport from now on."""
        self._transport = transport
        self.encode_with(serializer, codec)

    def encode_with(self, serializer: "SerializerProto | None", codec: CodecProto) -> None:
        """Encode bodies like this from now on."""
        self._serializer = serializer
        self.codec = codec

    def disconnect(self) -> None:
        """Send nothing any more."""
        self._transport = None
        self._urls.clear()

    async def publish(self, cmd: SQSPublishCommand) -> str:
        """Send one message; returns its id. Raises `PublishError` or `InvalidMessageError`."""
        if cmd.coalesce is None:
            (message_id,) = await self.publish_batch(cmd)
            return message_id
        target = _target_of(cmd)
        message = await self.encode(cmd.body, cmd)
        result = await self._coalescer.send(
            target, message, limit=target.max_bytes, max_wait=cmd.coalesce.max_wait
        )
        if not result.ok:
            raise PublishError([(0, result)], target.short_name)
        return result.message_id

    async def flush(self, seconds: float | None) -> None:
        """Send what waits for company and return when every call has its answer, or was cut in the end.

        Raises `TransportError` with the code `Stopped` to the publishers whose answer was not waited for.
        """
        await self._coalescer.flush(seconds)

    async def publish_batch(self, cmd: SQSPublishCommand) -> list[str]:
        """Send all bodies in as few calls as possible; returns their ids in order.

        Raises:
            PublishError: it names every message that was not taken; after a call that failed as a whole no
                further one is made, and what it would have sent is named, too.
            TransportError: the first call failed as a whole.
        """
        target = _target_of(cmd)
        messages = [await self.encode(body, cmd, index) for index, body in enumerate(cmd.batch_bodies)]
        results: dict[int, EntryResult] = {}
        start = 0
        for group in list(batches(messages, target.max_bytes, target.short_name)):
            try:
                async for index, result in self._deliver(target, group):
                    results[start + index] = result
            except TransportError as error:
                if not results:
                    raise
                rest = EntryResult(ok=False, code=error.code, detail=error.detail, retryable=error.retryable)
                results = {index: results.get(index, rest) for index in range(len(messages))}
                break
            start += len(group)
        failed = [(index, result) for index, result in sorted(results.items()) if not result.ok]
        if failed:
            raise PublishError(failed, target.short_name)
        return [results[index].message_id for index in range(len(messages))]

    async def request(self, _cmd: SQSPublishCommand) -> Any:
        """Not on queues."""
        raise FeatureNotSupportedException("SQS has no request and reply; use two queues")

    async def encode(self, body: Any, cmd: SQSPublishCommand, index: int = 0) -> OutgoingMessage:
        """One message as it goes over the wire; our own attributes are `traceparent` and `headers`."""
        payload, content_type = await self.codec.encode(body, serializer=self._serializer)
        try:
            text = payload.decode()
        except UnicodeDecodeError as error:
            raise InvalidMessageError(
                "a body must be UTF-8 text; encode binary data, for example as base64"
            ) from error
        packed = {str(k): str(v) for k, v in cmd.headers.items() if v is not None}
        attributes = {name: Attribute(value) for name, value in cmd.attributes.items()}
        if trace_parent := packed.pop(TRACE_PARENT, None):
            attributes[TRACE_PARENT] = Attribute(trace_parent)
        if content_type:
            packed.setdefault(CONTENT_TYPE, content_type)
        if cmd.correlation_id:
            packed.setdefault(CORRELATION_ID, cmd.correlation_id)
        if packed:
            attributes[HEADERS_ATTRIBUTE] = Attribute(json.dumps(packed, separators=(",", ":")))
        dedup = cmd.dedup_id if index == 0 or cmd.dedup_id is None else f"{cmd.dedup_id}-{index}"
        message = OutgoingMessage(text, attributes, cmd.group_id, dedup, cmd.delay_seconds, cmd.subject)
        if self.payloads is None or cmd.target is None:
            return message
        return await self.payloads.offload(message, cmd.target.max_bytes)

    async def _deliver(
        self, target: Queue | Topic, messages: list[OutgoingMessage]
    ) -> AsyncIterator[tuple[int, EntryResult]]:
        """One call, and further ones for the entries that may succeed later; each result once it is final.

        A call that fails as a whole for good raises, for the entries that have no result yet.
        """
        pending = list(range(len(messages)))
        for left in reversed(range(SEND_ATTEMPTS)):
            try:
                answers = await self._call(target, [messages[i] for i in pending])
            except TransportError as error:
                error.about(target.short_name)
                if not error.retryable or not left:
                    raise
            else:
                results = list(zip(pending, answers, strict=True))
                pending = [i for i, result in results if left and not result.ok and result.retryable]
                for index, result in results:
                    if index not in pending:
                        yield index, result
            if not pending:
                return
            bound = FIRST_BACK_OFF_SECONDS * 2 ** (SEND_ATTEMPTS - left)
            await self._clock.sleep(bound * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load

    async def _call(self, target: Queue | Topic, messages: list[OutgoingMessage]) -> list[EntryResult]:
        if self._transport is None:
            raise IncorrectState("connect the broker first")
        if isinstance(target, Topic):
            return await self._transport.publish(target.arn, messages)
        if target.name not in self._urls:
            self._urls[target.name] = (
                target.name if target.is_url else (await self._transport.resolve(target.name)).url
            )
        return await self._transport.send(self._urls[target.name], messages)


def _target_of(cmd: SQSPublishCommand) -> Queue | Topic:
    if cmd.target is None:
        raise IncorrectState("name a queue or a topic to publish to")
    return cmd.target
