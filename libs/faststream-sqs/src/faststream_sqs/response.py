"""What a publish carries on its way to the producer."""

from typing import Any, Union

from faststream.response import BatchPublishCommand, PublishCommand, PublishType, Response

from faststream_sqs.schemas import Coalesce, Queue, Topic


class SQSResponse(Response):
    """A handler's return value with the options of its publication."""

    def __init__(
        self,
        body: Any,
        *,
        headers: dict[str, Any] | None = None,
        attributes: dict[str, str] | None = None,
        correlation_id: str | None = None,
        group_id: str | None = None,
        dedup_id: str | None = None,
        delay_seconds: int = 0,
    ) -> None:
        super().__init__(body, headers=headers, correlation_id=correlation_id)
        self.attributes = attributes or {}
        self.group_id = group_id
        self.dedup_id = dedup_id
        self.delay_seconds = delay_seconds

    def as_publish_command(self) -> "SQSPublishCommand":
        """The command without a target; the publisher knows that."""
        return SQSPublishCommand(
            self.body,
            headers=self.headers,
            attributes=self.attributes,
            correlation_id=self.correlation_id,
            group_id=self.group_id,
            dedup_id=self.dedup_id,
            delay_seconds=self.delay_seconds,
            _publish_type=PublishType.PUBLISH,
        )


class SQSPublishCommand(BatchPublishCommand):
    """One or several bodies for one queue or topic."""

    def __init__(
        self,
        body: Any,
        /,
        *bodies: Any,
        _publish_type: PublishType,
        target: Queue | Topic | None = None,
        headers: dict[str, Any] | None = None,
        attributes: dict[str, str] | None = None,
        correlation_id: str | None = None,
        reply_to: str = "",
        group_id: str | None = None,
        dedup_id: str | None = None,
        delay_seconds: int = 0,
        subject: str | None = None,
        coalesce: Coalesce | None = None,
    ) -> None:
        super().__init__(
            body,
            *bodies,
            _publish_type=_publish_type,
            destination=destination_of(target),
            headers=headers,
            correlation_id=correlation_id,
            reply_to=reply_to,
        )
        self.target = target
        self.attributes = attributes or {}
        self.group_id = group_id
        self.dedup_id = dedup_id
        self.delay_seconds = delay_seconds
        self.subject = subject
        self.coalesce = coalesce

    @property
    def target_name(self) -> str:
        """The queue or topic by its name, as metrics and spans show it."""
        return self.target.short_name if self.target is not None else self.destination

    def send_to(self, target: Queue | Topic) -> None:
        """Set where it goes."""
        self.target = target
        self.destination = destination_of(target)

    @classmethod
    def from_cmd(
        cls, cmd: Union[PublishCommand, "SQSPublishCommand"], *, batch: bool = False
    ) -> "SQSPublishCommand":
        """Take over a command that a plain return value made."""
        if isinstance(cmd, SQSPublishCommand):
            return cmd
        body, extra = cls._parse_bodies(cmd.body, batch=batch)
        return cls(
            body,
            *extra,
            headers=cmd.headers,
            correlation_id=cmd.correlation_id,
            reply_to=cmd.reply_to,
            _publish_type=cmd.publish_type,
        )


def destination_of(target: Queue | Topic | None) -> str:
    """A target's name, for logs and metrics."""
    match target:
        case None:
            return ""
        case Queue():
            return target.name
        case Topic():
            return target.arn
