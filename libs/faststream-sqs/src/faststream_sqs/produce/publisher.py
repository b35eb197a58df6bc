"""A publisher bound to one queue or topic."""

from collections.abc import Callable, Iterable
from typing import Any

from faststream.exceptions import FeatureNotSupportedException
from faststream.response import PublishCommand, PublishType

from faststream_sqs._fs import PublisherMiddleware, PublisherSpecification, PublisherUsecase, SendableMessage
from faststream_sqs.config import SQSBrokerConfig, SQSPublisherConfig
from faststream_sqs.response import SQSPublishCommand, destination_of
from faststream_sqs.schemas import Queue, Topic


class SQSPublisher(PublisherUsecase):
    """Publishes return values of handlers, except None, or by hand."""

    _outer_config: SQSBrokerConfig

    def __init__(self, config: SQSPublisherConfig, specification: PublisherSpecification[Any, Any]) -> None:
        super().__init__(config, specification)
        self._target = config.target
        self._group_id = config.group_id
        self._dedup_id = config.dedup_id
        self._coalesce = config.coalesce
        self._headers = config.headers
        self._attributes = config.attributes

    @property
    def target(self) -> Queue | Topic:
        """Where messages go, prefixes of routers included."""
        if isinstance(self._target, Queue):
            return self._target.with_prefix(self._outer_config.prefix)
        return self._target

    @property
    def destination(self) -> str:
        """The target's name."""
        return destination_of(self.target)

    async def publish(
        self,
        message: SendableMessage,
        *,
        headers: dict[str, Any] | None = None,
        attributes: dict[str, str] | None = None,
        correlation_id: str | None = None,
        group_id: str | None = None,
        dedup_id: str | None = None,
        delay_seconds: int = 0,
    ) -> str:
        """Send one message; returns its id."""
        command = SQSPublishCommand(
            message,
            _publish_type=PublishType.PUBLISH,
            target=self.target,
            headers=self._headers | (headers or {}),
            attributes=self._attributes | (attributes or {}),
            correlation_id=correlation_id or self._outer_config.id_generator(),
            group_id=group_id or _named(self._group_id, message),
            dedup_id=dedup_id or _named(self._dedup_id, message),
            delay_seconds=delay_seconds,
            coalesce=self._coalesce,
        )
        message_id: str = await self._basic_publish(
            command, producer=self._outer_config.producer, _extra_middlewares=()
        )
        return message_id

    async def _publish(
        self, cmd: PublishCommand | SQSPublishCommand, *, _extra_middlewares: Iterable[PublisherMiddleware]
    ) -> None:
        if cmd.body is None:  # SQS takes no empty body, and the handler has done its work
            return
        command = SQSPublishCommand.from_cmd(cmd)
        command.send_to(self.target)
        command.add_headers(self._headers, override=False)
        command.attributes = self._attributes | command.attributes
        command.group_id = command.group_id or _named(self._group_id, command.body)
        command.dedup_id = command.dedup_id or _named(self._dedup_id, command.body)
        command.coalesce = self._coalesce
        await self._basic_publish(
            command, producer=self._outer_config.producer, _extra_middlewares=_extra_middlewares
        )

    async def request(self, *_: Any, **__: Any) -> Any:
        """Not on queues."""
        raise FeatureNotSupportedException("SQS has no request and reply; use two queues")


def _named(name: str | Callable[[Any], str] | None, body: Any) -> str | None:
    return name(body) if callable(name) else name
