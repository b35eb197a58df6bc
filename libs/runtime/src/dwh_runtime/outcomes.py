"""What a handler may say about its message besides "done", as exceptions at the edge.

ConsumeError
├── Poison      quarantine with the raw bytes, acknowledge
├── Retry       make visible again after `after`, else by the broker's schedule
│   └── Unavailable  what it needs is away or overloaded: the longer, the later again
├── Duplicate   acknowledge, count
└── Fatal       stop the process; the message goes back to the queue
"""

from dwh_contracts.quarantine import QuarantineReason


class ConsumeError(Exception):
    """Base of what a handler may raise on purpose."""


class Poison(ConsumeError):  # noqa: N818 - named for what happened
    """The message can never be handled; it is quarantined and acknowledged (G9)."""

    def __init__(self, reason: QuarantineReason, path: str | None = None, detail: str = "") -> None:
        super().__init__(f"{reason.value} at {path}: {detail}" if path else f"{reason.value}: {detail}")
        self.reason = reason
        self.path = path
        self.detail = detail


class Retry(ConsumeError):  # noqa: N818 - named for what happened
    """The message cannot be handled yet.

    Without `after` the broker's schedule applies: 2 s, 30 s, 5 min, 55 min, then the message is parked.
    With `counted` false it is handed back and never parked for it: nothing was wrong with the message.
    """

    def __init__(self, why: str = "", *, after: float | None = None, counted: bool = True) -> None:
        super().__init__(why)
        self.why = why
        self.after = after
        self.counted = counted


class Unavailable(Retry):
    """What the message needs does not answer or takes no more; nothing is wrong with the message.

    It is never parked for it, and each receive waits twice as long as the one before: a queue moves a message
    to its dead letters by itself after ten receives, and a minute of overload must not use them up.
    """

    def __init__(self, why: str = "") -> None:
        super().__init__(why, counted=False)

    @staticmethod
    def wait_seconds(receive_count: int) -> float:
        """How long after the n-th receive it is shown again: 2, 4, 8, … at most 60 s."""
        return float(min(2 ** min(receive_count, 6), 60))


class Duplicate(ConsumeError):  # noqa: N818 - named for what happened
    """The message's effect is already durable; it is acknowledged and counted."""


class Fatal(ConsumeError):  # noqa: N818 - named for what happened
    """The process cannot go on; it stops with exit code 1 and this text as its last line."""
