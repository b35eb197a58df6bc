"""The broker: one connection, all subscribers and publishers."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from aiobotocore.session import get_session
from fast_depends import Provider, dependency_provider
from faststream.exceptions import FeatureNotSupportedException, SetupError
from faststream.message import gen_cor_id
from faststream.middlewares import AckPolicy
from faststream.response import PublishType
from faststream.specification.schema import BrokerSpec

from faststream_sqs._fs import (
    EMPTY,
    BrokerMiddleware,
    BrokerUsecase,
    CodecProto,
    ContextRepo,
    CustomCallable,
    FastDependsConfig,
    IdGenerator,
    LoggerProto,
    SendableMessage,
)
from faststream_sqs.clock import Clock, SystemClock
from faststream_sqs.config import SQSBrokerConfig
from faststream_sqs.consume.subscriber import SQSSubscriber
from faststream_sqs.health import Health, broker_health
from faststream_sqs.large import ObjectStore, Payloads, S3Objects
from faststream_sqs.logging import make_sqs_logger_state
from faststream_sqs.produce.producer import SQSProducer
from faststream_sqs.registrator import SQSRegistrator, as_target
from faststream_sqs.response import SQSPublishCommand
from faststream_sqs.schemas import LargePayload, Queue, Topic
from faststream_sqs.transport.aioboto import AiobotocoreTransport
from faststream_sqs.transport.clients import SessionFactory
from faststream_sqs.transport.protocol import Transport

if TYPE_CHECKING:
    from fast_depends.library.serializer import SerializerProto
    from faststream.specification.schema.extra import Tag, TagDict

DEFAULT_WAIT_SECONDS = 20.0


class SQSBroker(SQSRegistrator, BrokerUsecase[Any, Transport, SQSBrokerConfig]):
    """A FastStream broker for SQS queues and SNS topics.

    At least once: a message is deleted only after its handler returned, ten deletes to a call. `stop`
    drains within `graceful_timeout`, `stop` and `start` may be repeated. Region, endpoint and credentials
    not given here come from the AWS environment, as everywhere. With `large`, bodies that SQS would refuse
    are kept in S3, or in `objects`.
    """

    def __init__(
        self,
        region: str | None = None,
        *,
        endpoint_url: str | None = None,
        session_factory: SessionFactory = get_session,
        transport: Transport | None = None,
        clock: Clock | None = None,
        large: LargePayload | None = None,
        objects: ObjectStore | None = None,
        graceful_timeout: float | None = 25.0,
        ack_policy: AckPolicy = EMPTY,
        decoder: CustomCallable | None = None,
        parser: CustomCallable | None = None,
        codec: CodecProto | None = None,
        dependencies: Sequence[Any] = (),
        middlewares: Sequence[BrokerMiddleware[Any]] = (),
        routers: Iterable[SQSRegistrator] = (),
        id_generator: IdGenerator = gen_cor_id,
        specification_url: str | None = None,
        description: str | None = None,
        tags: Iterable["Tag | TagDict"] = (),
        logger: LoggerProto | None = EMPTY,
        log_level: int = logging.DEBUG,
        apply_types: bool = True,
        serializer: "SerializerProto | None" = EMPTY,
        provider: Provider | None = None,
        context: ContextRepo | None = None,
    ) -> None:
        clock = clock or SystemClock()
        objects = objects or S3Objects(region, endpoint_url, session_factory)
        payloads = None if large is None else Payloads(large, objects)
        super().__init__(
            routers=routers,
            config=SQSBrokerConfig(
                producer=SQSProducer(parser, decoder, clock),
                clock=clock,
                payloads=payloads,
                objects=objects,
                broker_middlewares=middlewares,
                broker_parser=parser,
                broker_decoder=decoder,
                broker_codec=codec,
                logger=make_sqs_logger_state(logger=logger, log_level=log_level),
                fd_config=FastDependsConfig(
                    use_fastdepends=apply_types,
                    serializer=serializer,
                    provider=provider or dependency_provider,
                    context=context or ContextRepo(),
                ),
                broker_dependencies=dependencies,
                graceful_timeout=graceful_timeout,
                ack_policy=ack_policy,
                id_generator=id_generator,
                extra_context={"broker": self},
            ),
            specification=BrokerSpec(
                description=description,
                url=[
                    specification_url or endpoint_url or f"https://sqs.{region or 'us-east-1'}.amazonaws.com"
                ],
                protocol="sqs",
                protocol_version=None,
                tags=tags,
                security=None,
            ),
        )
        self._objects = objects
        self._large = large
        self._transport = transport or AiobotocoreTransport(region, endpoint_url, session_factory)
        self._lifecycle = asyncio.Lock()

    async def _connect(self) -> Transport:
        subscribers = self._sqs_subscribers()
        await self._transport.open(
            polls=max(1, sum(subscriber.options.max_lanes for subscriber in subscribers)),
            wait_seconds=max((s.options.wait_time for s in subscribers), default=DEFAULT_WAIT_SECONDS),
        )
        if self._large is not None:
            await self._objects.open()
        self.config.broker_config.connect(self._transport)
        return self._transport

    async def start(self) -> None:
        """Connect and start every subscriber."""
        async with self._lifecycle:
            await self.connect()
            await super().start()

    async def stop(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> None:
        """Drain all subscribers side by side, then disconnect; a second call waits for the first.

        What is left of `graceful_timeout` after the drain is for publishers that wait for an answer.
        """
        async with self._lifecycle:
            time, seconds = asyncio.get_running_loop().time, self.config.graceful_timeout
            deadline = None if seconds is None else time() + seconds
            await super().stop(exc_type, exc_val, exc_tb)
            if self._connection is not None:
                if isinstance(producer := self.config.producer, SQSProducer):
                    await producer.flush(None if deadline is None else max(0.0, deadline - time()))
                self._connection = None
                await self._transport.close()
                await self._objects.close()
            self.config.broker_config.disconnect()

    async def publish(
        self,
        message: SendableMessage = None,
        target: str | Queue | Topic = "",
        *,
        headers: dict[str, Any] | None = None,
        attributes: dict[str, str] | None = None,
        correlation_id: str | None = None,
        group_id: str | None = None,
        dedup_id: str | None = None,
        delay_seconds: int = 0,
        subject: str | None = None,
    ) -> str:
        """Send a message to a queue or publish it to a topic; returns its id.

        `headers` travel packed in one attribute, `attributes` one by one (filter policies see those).
        Raises `InvalidMessageError` for what can never be sent and `PublishError` for what was not taken.
        """
        command = SQSPublishCommand(
            message,
            _publish_type=PublishType.PUBLISH,
            target=as_target(target),
            headers=headers,
            attributes=attributes,
            correlation_id=correlation_id or self.config.id_generator(),
            group_id=group_id,
            dedup_id=dedup_id,
            delay_seconds=delay_seconds,
            subject=subject,
        )
        message_id: str = await self._basic_publish(command, producer=self.config.producer)
        return message_id

    async def publish_batch(  # type: ignore[override]  # queues and topics are both targets
        self,
        *messages: SendableMessage,
        target: str | Queue | Topic = "",
        headers: dict[str, Any] | None = None,
        attributes: dict[str, str] | None = None,
        correlation_id: str | None = None,
        group_id: str | None = None,
    ) -> list[str]:
        """Send messages in as few calls as possible; returns their ids in order."""
        if not messages:
            return []
        command = SQSPublishCommand(
            *messages,
            _publish_type=PublishType.PUBLISH,
            target=as_target(target),
            headers=headers,
            attributes=attributes,
            correlation_id=correlation_id or self.config.id_generator(),
            group_id=group_id,
        )
        ids: list[str] = await self._basic_publish_batch(command, producer=self.config.producer)
        return ids

    async def request(self, *_: Any, **__: Any) -> Any:
        """Not on queues."""
        raise FeatureNotSupportedException("SQS has no request and reply; use two queues")

    async def ping(self, timeout: float | None = None) -> bool:  # noqa: ARG002, ASYNC109 - the base's signature
        """Whether the broker is connected and every poll loop makes progress; calls nobody."""
        return self._connection is not None and self.health().live

    def health(self) -> Health:
        """Liveness and readiness of all queues."""
        return broker_health(
            running=self.running, queues=[subscriber.health() for subscriber in self._sqs_subscribers()]
        )

    async def pause(self, queue: str | Queue) -> None:
        """Stop receiving from a queue and starting its handlers; messages already held stay ours."""
        self._subscriber_of(queue).pause()

    async def resume(self, queue: str | Queue) -> None:
        """Receive again."""
        self._subscriber_of(queue).resume()

    def _sqs_subscribers(self) -> list[SQSSubscriber]:
        return [subscriber for subscriber in self.subscribers if isinstance(subscriber, SQSSubscriber)]

    def _subscriber_of(self, queue: str | Queue) -> SQSSubscriber:
        name = queue.name if isinstance(queue, Queue) else queue
        for subscriber in self._sqs_subscribers():
            if name in {subscriber.queue.name, subscriber.queue.short_name}:
                return subscriber
        raise SetupError(f"no subscriber of {name}")
