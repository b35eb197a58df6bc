"""What a subscriber or publisher may be told about queues, topics and failure."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MAX_BATCH = 10
"""Messages in one receive, delete, change of visibility or send."""

MAX_VISIBILITY_SECONDS = 12 * 3600
"""A message may stay invisible for 12 hours in all, counted from its receive."""


MAX_QUEUE_BYTES = 1024 * 1024
"""One message and one batch to a queue."""

MAX_TOPIC_BYTES = 256 * 1024
"""One message and one batch to a topic, unless the topic was raised."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue by its name or by its whole URL."""

    name: str

    @property
    def is_url(self) -> bool:
        """Whether the queue was given by URL."""
        return "://" in self.name

    @property
    def short_name(self) -> str:
        """The last part of the URL, or the name itself."""
        return self.name.rstrip("/").rsplit("/", 1)[-1]

    @property
    def fifo(self) -> bool:
        """Whether this is a FIFO queue; SQS demands the suffix `.fifo`."""
        return self.name.endswith(".fifo")

    @property
    def max_bytes(self) -> int:
        """Bytes of one message and of one batch."""
        return MAX_QUEUE_BYTES

    def with_prefix(self, prefix: str) -> "Queue":
        """The queue as seen through a router's prefix; URLs are taken as they stand."""
        return self if self.is_url or not prefix else Queue(prefix + self.name)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic by its ARN; `max_bytes` is its maximum message size, which AWS lets one raise to 1 MiB."""

    arn: str
    max_bytes: int = MAX_TOPIC_BYTES

    @property
    def short_name(self) -> str:
        """The last part of the ARN."""
        return self.arn.rsplit(":", 1)[-1]

    @property
    def fifo(self) -> bool:
        """Whether this is a FIFO topic."""
        return self.arn.endswith(".fifo")


@dataclass(frozen=True, slots=True)
class Subscription:
    """How a queue hangs on a topic; documented in AsyncAPI."""

    topic: Topic
    raw: bool = True
    filter_policy: Mapping[str, object] = field(default_factory=dict)
    filter_scope: str = "MessageAttributes"


@dataclass(frozen=True, slots=True)
class Batch:
    """Hand messages to the handler in groups.

    A group is complete at `max_size` messages or `max_wait` seconds after its first one.
    """

    max_size: int = MAX_BATCH
    max_wait: float = 0.0

    def __post_init__(self) -> None:
        if self.max_size < 1 or self.max_wait < 0:
            msg = "a batch holds at least one message and waits zero seconds or more"
            raise ValueError(msg)


class Fate(StrEnum):
    """What a failure does to its message."""

    RETRY = "retry"
    """Tried again after the back-off, parked at the limit."""

    PARK = "park"
    """Parked at once: another try would end the same way."""

    DROP = "drop"
    """Deleted: nobody needs it any more."""


@dataclass(frozen=True, slots=True)
class Coalesce:
    """Let messages published at about the same time share a call; one waits at most `max_wait` seconds."""

    max_wait: float = 0.005


@dataclass(frozen=True, slots=True)
class LargePayload:
    """Keep bodies in `bucket` that are too large for SQS or SNS, or larger than `threshold` bytes.

    Bodies are fetched from `bucket` and `read_from` only. Nothing is deleted: give the bucket a lifecycle
    rule.
    """

    bucket: str
    prefix: str = ""
    threshold: int | None = None
    read_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Retry:
    """When a failed message is tried again, and whether.

    With `delays`, the n-th failed receive waits the n-th delay, the last one repeating. Without, the
    wait grows exponentially from `base` to `cap` seconds, each drawn between `base` and three times
    the bound before it, so that messages which failed together do not return together. No wait goes
    beyond the 12 hours that a message may stay invisible.

    `retry_on`, `park_on` and `drop_on` are rules by exception; of several that match, the nearest class
    decides, so an exception may differ from its base. Others are retried.
    """

    delays: tuple[float, ...] = ()
    base: float = 2.0
    cap: float = 900.0
    park_on: tuple[type[BaseException], ...] = ()
    drop_on: tuple[type[BaseException], ...] = ()
    retry_on: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        rules = (*self.retry_on, *self.park_on, *self.drop_on)
        twice = {rule.__name__ for rule in rules if rules.count(rule) > 1}
        if twice:
            msg = f"more than one rule for {', '.join(sorted(twice))}"
            raise ValueError(msg)
        if min(self.delays, default=0) < 0 or not 0 <= self.base <= self.cap:
            msg = "delays are zero seconds or more, and base is at most cap"
            raise ValueError(msg)

    def fate(self, failure: BaseException | None) -> Fate:
        """What the rules say of a failure; None is a failure without an exception."""
        for kind in type(failure).__mro__:
            if kind in self.drop_on:
                return Fate.DROP
            if kind in self.park_on:
                return Fate.PARK
            if kind in self.retry_on:
                return Fate.RETRY
        return Fate.RETRY

    def delay(self, receive_count: int, *, spread: float | None = None) -> float:
        """Seconds to wait after the given failed receive, counted from 1."""
        attempt = max(receive_count, 1)
        if self.delays:
            return self.delays[min(attempt, len(self.delays)) - 1]
        bound = min(self.cap, self.base * 3.0 ** min(attempt, 30))
        share = random.random() if spread is None else spread  # noqa: S311 - spreads load, hides nothing
        return self.base + share * max(0.0, bound - self.base)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Whether the visibility of held messages is extended while they are worked on.

    Extensions stop `limit` seconds after the receive; `cancel_on_loss` cancels a handler whose message
    went to someone else.
    """

    enabled: bool = True
    limit: float = 11 * 3600 + 50 * 60
    cancel_on_loss: bool = False


@dataclass(frozen=True, slots=True)
class Parking:
    """Where messages go that failed `after` times.

    Without `queue` that is the dead-letter queue named by the queue's own redrive policy. The handler
    always runs before a message is parked: a receive that ended in a release counts, too.
    """

    after: int = 5
    queue: str | None = None
