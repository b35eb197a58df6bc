"""What goes wrong between a client and a server, as data."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """What becomes of a call."""

    BLACK_HOLE = "black_hole"
    """It is swallowed and never answered; its connection stays silent for good, as after a lost route."""

    REFUSE = "refuse"
    """No connection is accepted; those that are open are reset."""

    RESET = "reset"
    """Its connection is reset instead of an answer; the server hears nothing of it."""

    RESET_AFTER = "reset_after"
    """The server does what was asked, then the connection is reset: an error after a success."""

    ERROR = "error"
    """The proxy answers with an error; the server hears nothing of it."""

    DELAY = "delay"
    """It reaches the server later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """One thing that goes wrong, for a `share` (0 to 1) of the calls of some `operations`; of all without.

    `code` and `status` are those of an error, in the form of AWS; without a code it is the plain answer of
    a load balancer. `seconds` is the length of a delay. Raises `ValueError` when the share is none, or when
    connections, which know no operation, should be refused in part.
    """

    effect: Effect
    share: float = 1.0
    operations: frozenset[str] = frozenset()
    code: str = ""
    status: int = 500
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"a share lies between 0 and 1, not at {self.share}")
        if self.effect is Effect.REFUSE and not self.total:
            raise ValueError("connections are refused all or none")

    @property
    def total(self) -> bool:
        """Whether no call escapes."""
        return self.share >= 1 and not self.operations

    def concerns(self, operation: str) -> bool:
        """Whether calls of this operation may meet it."""
        return not self.operations or operation in self.operations


def black_hole(*, share: float = 1.0, operations: Iterable[str] = ()) -> Disturbance:
    """Calls are swallowed; when all are, answers under way are swallowed, too."""
    return Disturbance(effect=Effect.BLACK_HOLE, share=share, operations=frozenset(operations))


def refused_connections() -> Disturbance:
    """Nobody listens."""
    return Disturbance(effect=Effect.REFUSE)


def reset(*, share: float = 1.0, operations: Iterable[str] = (), after: bool = False) -> Disturbance:
    """Connections are reset; `after` the server has done what was asked."""
    effect = Effect.RESET_AFTER if after else Effect.RESET
    return Disturbance(effect=effect, share=share, operations=frozenset(operations))


def server_error(*, share: float = 1.0, operations: Iterable[str] = ()) -> Disturbance:
    """500 with the code `InternalFailure`."""
    return Disturbance(
        effect=Effect.ERROR, share=share, operations=frozenset(operations), code="InternalFailure", status=500
    )


def unavailable(*, share: float = 1.0, operations: Iterable[str] = ()) -> Disturbance:
    """503 without a code and in no form of AWS: something in between answered."""
    return Disturbance(effect=Effect.ERROR, share=share, operations=frozenset(operations), status=503)


def throttling(*, share: float = 1.0, operations: Iterable[str] = ()) -> Disturbance:
    """400 with the code `RequestThrottled`."""
    return Disturbance(
        effect=Effect.ERROR,
        share=share,
        operations=frozenset(operations),
        code="RequestThrottled",
        status=400,
    )


def delay(seconds: float, *, share: float = 1.0, operations: Iterable[str] = ()) -> Disturbance:
    """Calls take so much longer."""
    return Disturbance(effect=Effect.DELAY, share=share, operations=frozenset(operations), seconds=seconds)
