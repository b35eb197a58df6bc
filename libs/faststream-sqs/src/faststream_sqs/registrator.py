"""Registers subscribers and publishers on brokers and routers."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from faststream.exceptions import SetupError
from faststream.middlewares import AckPolicy

from faststream_sqs._fs import (
    EMPTY,
    BrokerMiddleware,
    CallsCollection,
    CodecProto,
    CustomCallable,
    Registrator,
)
from faststream_sqs.config import (
    SQSBrokerConfig,
    SQSPublisherConfig,
    SQSPublisherSpecificationConfig,
    SQSSubscriberConfig,
    SQSSubscriberSpecificationConfig,
)
from faststream_sqs.consume.consumer import ConsumeOptions
from faststream_sqs.consume.subscriber import SQSSubscriber
from faststream_sqs.large import MissingPayloadError
from faststream_sqs.order import Order, key_of
from faststream_sqs.parser import MalformedEnvelopeError
from faststream_sqs.produce.publisher import SQSPublisher
from faststream_sqs.schemas import (
    Batch,
    Coalesce,
    Heartbeat,
    LargePayload,
    Parking,
    Queue,
    Retry,
    Subscription,
    Topic,
)
from faststream_sqs.spec import SQSPublisherSpecification, SQSSubscriberSpecification

MAX_WAIT_SECONDS = 20


class SQSRegistrator(Registrator[Any, SQSBrokerConfig]):
    """What brokers and routers have in common."""

    def subscriber(  # type: ignore[override]
        self,
        queue: str | Queue,
        *,
        max_workers: int = 10,
        prefetch: int = 10,
        batch: Batch | None = None,
        ack_policy: AckPolicy = EMPTY,
        retry: Retry | None = None,
        heartbeat: Heartbeat | None = None,
        parking: Parking | None = EMPTY,
        large: LargePayload | None = EMPTY,
        wait_time: float = 20,
        visibility: int = 60,
        order: Order = "none",
        content_type: str = "application/json",
        subscriptions: Sequence[Subscription] = (),
        dependencies: Sequence[Any] = (),
        parser: CustomCallable | None = None,
        decoder: CustomCallable | None = None,
        codec: CodecProto | None = None,
        persistent: bool = True,
        title: str | None = None,
        description: str | None = None,
        include_in_schema: bool = True,
    ) -> SQSSubscriber:
        """Subscribe a handler to a queue.

        Args:
            queue: name or URL.
            max_workers: handlers at work at one time (in batch mode: batches).
            prefetch: messages held besides those at work.
            batch: hand messages over in groups; None, one by one.
            ack_policy: what becomes of a message after its handler; default NACK_ON_ERROR.
            retry: when a failed message comes back.
            heartbeat: how visibility is extended while a message is held.
            parking: where messages go that failed too often; None, nowhere: a reject deletes.
            large: the buckets from which this queue's bodies may be fetched; None, from none. Default: the
                broker's.
            wait_time: seconds of a long poll, at most 20; also about how long an idle stop takes.
            visibility: seconds a message is ours without a heartbeat.
            order: `"group"`, messages of one group one after the other, a failed one tried again in this
                process before the next; a function, the same by its value; None: in no order to others.
                Needs the heartbeat, excludes `batch`. A failing group holds up to `prefetch` messages.
            content_type: of messages that do not name theirs; `application/octet-stream` hands over bytes.
            subscriptions: the topics the queue hangs on, for the AsyncAPI document.
            dependencies: FastDepends dependencies of all handlers.
            parser: replaces or wraps the parser.
            decoder: replaces or wraps the decoder.
            codec: replaces the decoder.
            persistent: keep the subscriber alive with the broker.
            title: AsyncAPI title.
            description: AsyncAPI description.
            include_in_schema: whether AsyncAPI lists it.
        """
        if not 0 <= wait_time <= MAX_WAIT_SECONDS:
            raise SetupError(f"wait_time is 0 to {MAX_WAIT_SECONDS} seconds, not {wait_time}")
        target = queue if isinstance(queue, Queue) else Queue(queue)
        options = ConsumeOptions(
            queue=target.name,
            max_workers=max_workers,
            prefetch=prefetch,
            batch=batch,
            retry=_with_unreadable(retry or Retry()),
            heartbeat=heartbeat or Heartbeat(),
            parking=Parking() if parking is EMPTY else parking,
            wait_time=wait_time,
            visibility=visibility,
            order=key_of(order),
        )
        if options.order is not None and (batch is not None or not options.heartbeat.enabled):
            raise SetupError("an ordered subscriber takes messages one by one and needs its heartbeat")
        outer = cast("SQSBrokerConfig", self.config)
        calls = CallsCollection[Any]()
        specification = SQSSubscriberSpecification(
            outer,
            SQSSubscriberSpecificationConfig(
                queue=target,
                options=options,
                subscriptions=tuple(subscriptions),
                title_=title,
                description_=description,
                include_in_schema=include_in_schema,
            ),
            calls,
        )
        config = SQSSubscriberConfig(
            queue=target,
            options=options,
            content_type=content_type,
            large=large,
            subscriptions=tuple(subscriptions),
            _outer_config=outer,
            _ack_policy=ack_policy,
        )
        subscriber = SQSSubscriber(config, specification, calls)
        super().subscriber(subscriber, persistent=persistent)
        return subscriber.add_call(
            parser_=parser or self._parser,
            decoder_=decoder or self._decoder,
            codec_=codec,
            dependencies_=dependencies,
        )

    def publisher(  # type: ignore[override]
        self,
        target: str | Queue | Topic,
        *,
        group_id: str | Callable[[Any], str] | None = None,
        dedup_id: Callable[[Any], str] | None = None,
        coalesce: Coalesce | None = EMPTY,
        headers: dict[str, str] | None = None,
        attributes: dict[str, str] | None = None,
        persistent: bool = True,
        title: str | None = None,
        description: str | None = None,
        schema: Any | None = None,
        include_in_schema: bool = True,
    ) -> SQSPublisher:
        """A publisher to a queue or topic; text that begins with `arn:` and names SNS is a topic.

        Args:
            target: queue by name or URL, topic by ARN.
            group_id: the FIFO group, or how to get it from a body.
            dedup_id: how to get the deduplication id from a body.
            coalesce: let messages published at about the same time share a call; None, a call for each.
            headers: sent with every message, packed in one attribute.
            attributes: sent with every message, one by one.
            persistent: keep the publisher alive with the broker.
            title: AsyncAPI title.
            description: AsyncAPI description.
            schema: AsyncAPI schema of the message.
            include_in_schema: whether AsyncAPI lists it.
        """
        resolved = as_target(target)
        outer = cast("SQSBrokerConfig", self.config)
        specification = SQSPublisherSpecification(
            outer,
            SQSPublisherSpecificationConfig(
                target=resolved,
                schema_=schema,
                title_=title,
                description_=description,
                include_in_schema=include_in_schema,
            ),
        )
        config = SQSPublisherConfig(
            target=resolved,
            group_id=group_id,
            dedup_id=dedup_id,
            coalesce=Coalesce() if coalesce is EMPTY else coalesce,
            headers=headers or {},
            attributes=attributes or {},
            _outer_config=outer,
        )
        publisher = SQSPublisher(config, specification)
        super().publisher(publisher, persistent=persistent)
        return publisher

    def include_router(
        self,
        router: Registrator[Any, Any],
        *,
        prefix: str = "",
        dependencies: Sequence[Any] = (),
        middlewares: Sequence[BrokerMiddleware[Any]] = (),
        include_in_schema: bool | None = None,
    ) -> None:
        """Include a router; other brokers' routers are refused."""
        if not isinstance(router, SQSRegistrator):
            msg = f"Router must be an instance of SQSRegistrator, got {type(router).__name__} instead."
            raise TypeError(msg)
        super().include_router(
            router,
            prefix=prefix,
            dependencies=dependencies,
            middlewares=middlewares,
            include_in_schema=include_in_schema,
        )


def _with_unreadable(retry: Retry) -> Retry:
    """The same, parking at once what no try will make readable, unless a rule of its own names it."""
    ruled = {*retry.retry_on, *retry.park_on, *retry.drop_on}
    added = [kind for kind in (MissingPayloadError, MalformedEnvelopeError) if kind not in ruled]
    return replace(retry, park_on=(*retry.park_on, *added))


def as_target(target: str | Queue | Topic) -> Queue | Topic:
    """A queue or topic from its name, URL or ARN."""
    if not isinstance(target, str):
        return target
    is_topic = target.startswith("arn:") and target.split(":")[2] == "sns"
    return Topic(target) if is_topic else Queue(target)
