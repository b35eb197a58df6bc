"""Routers: subscribers and publishers declared apart from a broker."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from faststream.middlewares import AckPolicy

from faststream_sqs._fs import (
    EMPTY,
    ArgsContainer,
    BrokerMiddleware,
    BrokerRouter,
    CustomCallable,
    SubscriberRoute,
)
from faststream_sqs.config import SQSBrokerConfig
from faststream_sqs.registrator import SQSRegistrator
from faststream_sqs.schemas import Queue, Topic


class SQSRoutePublisher(ArgsContainer):
    """The arguments of `SQSRegistrator.publisher`, for use in an `SQSRoute`."""

    def __init__(self, target: str | Queue | Topic, **options: Any) -> None:
        super().__init__(target, **options)


class SQSRoute(SubscriberRoute):
    """A handler and the arguments of its `SQSRegistrator.subscriber`."""

    def __init__(
        self,
        call: Callable[..., Any],
        queue: str | Queue,
        *,
        publishers: Iterable[SQSRoutePublisher] = (),
        **options: Any,
    ) -> None:
        super().__init__(call, queue, publishers=publishers, **options)


class SQSRouter(SQSRegistrator, BrokerRouter[Any, SQSBrokerConfig]):
    """To be included in an `SQSBroker`; `prefix` goes before queue names, not before URLs and ARNs."""

    def __init__(
        self,
        prefix: str = "",
        handlers: Iterable[SQSRoute] = (),
        *,
        dependencies: Sequence[Any] = (),
        middlewares: Sequence[BrokerMiddleware[Any]] = (),
        routers: Iterable[SQSRegistrator] = (),
        parser: CustomCallable | None = None,
        decoder: CustomCallable | None = None,
        include_in_schema: bool | None = None,
        ack_policy: AckPolicy = EMPTY,
    ) -> None:
        super().__init__(
            handlers=handlers,
            config=SQSBrokerConfig(
                prefix=prefix,
                ack_policy=ack_policy,
                broker_dependencies=dependencies,
                broker_middlewares=middlewares,
                broker_parser=parser,
                broker_decoder=decoder,
                include_in_schema=include_in_schema,
            ),
            routers=routers,
        )
