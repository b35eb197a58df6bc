"""Deliveries without a queue, for tests of handlers, parsers and messages."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from faststream_sqs.consume.delivery import Delivery, DeliveryState
from faststream_sqs.transport.protocol import Attribute, RawMessage

_ids = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a delivery was settled: `kind` is ack, nack, reject or release."""

    kind: str
    message_id: str
    delay: float | None = None
    reason: str = ""


@dataclass(slots=True)
class RecordingControl:
    """Records settlements instead of making them."""

    settlements: list[Settlement] = field(default_factory=list)

    async def ack(self, delivery: Delivery, *, confirm: bool = False) -> bool:  # noqa: ARG002 - the port's signature
        """Record a delete."""
        return self._settle(delivery, Settlement("ack", delivery.raw.message_id))

    async def claim(self, delivery: Delivery) -> bool:
        """Record a delete."""
        return await self.ack(delivery, confirm=True)

    async def nack(self, delivery: Delivery, delay: float | None = None) -> None:
        """Record a failure."""
        self._settle(delivery, Settlement("nack", delivery.raw.message_id, delay))

    async def reject(self, delivery: Delivery, reason: str = "") -> None:
        """Record a parking."""
        self._settle(delivery, Settlement("reject", delivery.raw.message_id, reason=reason))

    async def release(self, delivery: Delivery, delay: float = 0) -> None:
        """Record a release."""
        self._settle(delivery, Settlement("release", delivery.raw.message_id, delay))

    async def extend(self, delivery: Delivery, seconds: float) -> bool:  # noqa: ARG002 - the port's signature
        """Extend nothing; says whether the delivery is still held."""
        return delivery.state is DeliveryState.HELD

    def _settle(self, delivery: Delivery, settlement: Settlement) -> bool:
        if delivery.state is not DeliveryState.HELD:
            return False
        delivery.state = DeliveryState.SETTLED
        self.settlements.append(settlement)
        return True


def a_delivery(
    body: str = "{}",
    *,
    queue: str = "orders",
    message_id: str | None = None,
    attributes: Mapping[str, Attribute | str] | None = None,
    receive_count: int = 1,
    control: RecordingControl | None = None,
    system: Mapping[str, str] | None = None,
) -> Delivery:
    """A delivery as a poll would bring it."""
    name = message_id or f"message-{next(_ids)}"
    raw = RawMessage(
        message_id=name,
        receipt=f"receipt-{name}",
        body=body,
        attributes={
            k: v if isinstance(v, Attribute) else Attribute(v) for k, v in (attributes or {}).items()
        },
        system={
            "ApproximateReceiveCount": str(receive_count),
            "SentTimestamp": "1760000000000",
            "ApproximateFirstReceiveTimestamp": "1760000000500",
            **(system or {}),
        },
    )
    return Delivery(raw, queue, control or RecordingControl())
