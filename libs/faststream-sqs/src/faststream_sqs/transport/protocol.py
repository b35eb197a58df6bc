"""What the broker needs from SQS and SNS, and nothing else.

Implementations promise per-entry results for batches: a list as long as the request, in its order.
A call that failed as a whole raises `TransportError`; whether its entries took effect is then unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from faststream_sqs.transport.remedies import remedy_of


class TransportError(Exception):
    """A call did not come back with an answer, or with a refusal of the whole call.

    `retryable` means that the same call may succeed later. The text names `target`, the queue or topic as
    its user names it, where that is known, and what to do, where somebody can do something.
    """

    def __init__(self, code: str, detail: str, *, retryable: bool = True) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.retryable = retryable
        self.target = ""

    def about(self, target: str) -> Self:
        """Itself, naming this queue or topic; the first name stays."""
        self.target = self.target or target
        return self

    def __str__(self) -> str:
        return explained(self.code, self.detail, self.target)


def explained(code: str, detail: str, target: str = "") -> str:
    """An error in one line: where, what, and the remedy if there is one."""
    text = f"{target}: {code}: {detail}" if target else f"{code}: {detail}"
    remedy = remedy_of(code, detail)
    text = text.rstrip(": ")
    return f"{text} ({remedy})" if remedy else text


@dataclass(frozen=True, slots=True)
class Attribute:
    """A message attribute; `value` is text for String and Number, bytes for Binary."""

    value: str | bytes
    data_type: str = "String"

    @property
    def text(self) -> str:
        """The value as text; bytes are shown by code point."""
        return self.value.decode("latin-1") if isinstance(self.value, bytes) else self.value


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message as received: `attributes` are the sender's, `system` those of SQS."""

    message_id: str
    receipt: str
    body: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    system: Mapping[str, str] = field(default_factory=dict)

    @property
    def receive_count(self) -> int:
        """How often the message was received, this time included."""
        return int(self.system.get("ApproximateReceiveCount", "1"))


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message to send to a queue or publish to a topic."""

    body: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    group_id: str | None = None
    dedup_id: str | None = None
    delay_seconds: int = 0
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class EntryResult:
    """What became of one entry of a batch; `retryable` means that trying again may help."""

    ok: bool
    code: str = ""
    detail: str = ""
    retryable: bool = False
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """Where a queue is and where its dead letters go (None: no redrive policy, or not readable).

    `dead_letter_fault` says why a dead-letter queue that the policy names cannot be used, and what to do.
    """

    url: str
    dead_letter_url: str | None = None
    dead_letter_fault: str = ""


class Transport(Protocol):
    """Access to SQS and SNS. Polls never share a connection pool with the other calls."""

    async def open(self, *, polls: int, wait_seconds: float) -> None:
        """Prepare for `polls` parallel receives of at most `wait_seconds` each."""
        ...

    async def close(self) -> None:
        """Give all connections back; harmless when nothing is open."""
        ...

    async def resolve(self, queue: str) -> QueueInfo:
        """Find a queue by name or URL."""
        ...

    async def count(self, queue_url: str) -> int:
        """About how many messages a queue holds that are visible."""
        ...

    async def receive(
        self, queue_url: str, *, limit: int, wait_seconds: float, visibility: int
    ) -> list[RawMessage]:
        """Wait for up to `limit` messages, at most `wait_seconds`."""
        ...

    async def delete(self, queue_url: str, receipts: Sequence[str]) -> list[EntryResult]:
        """Delete up to ten messages; a receipt that is no longer valid is a final failure."""
        ...

    async def change_visibility(
        self, queue_url: str, changes: Sequence[tuple[str, int]]
    ) -> list[EntryResult]:
        """Let up to ten messages stay invisible for so many seconds from now; 0 shows one at once."""
        ...

    async def send(self, queue_url: str, messages: Sequence[OutgoingMessage]) -> list[EntryResult]:
        """Send up to ten messages."""
        ...

    async def publish(self, topic_arn: str, messages: Sequence[OutgoingMessage]) -> list[EntryResult]:
        """Publish up to ten messages to a topic."""
        ...
