"""Errors on demand, by the codes that SQS sends."""

from dataclasses import dataclass, field

SERVER_FAULT = 500
QUERY_CODES = {"QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue"}
"""Errors that clients know by the code of the older protocol, which the answer carries in a header."""


@dataclass(slots=True)
class Fault:
    """What happens to the next `times` calls of one operation.

    Without `entries` the whole call is refused with `code`, or its connection is cut when `cut` is set, or
    `body` is the answer, as of something else in the place of SQS.
    With `entries` the call succeeds and those entries of the batch, by position, are in `Failed`.
    `takes_effect` first does what was asked: the caller sees an error after a success.
    """

    code: str = "RequestThrottled"
    times: int = 1
    status: int = 400
    entries: tuple[int, ...] = ()
    sender_fault: bool = False
    takes_effect: bool = False
    cut: bool = False
    body: bytes | None = None
    delay_seconds: float = 0.0


@dataclass(slots=True)
class Faults:
    """The faults that are due, and the credentials that are still good."""

    by_operation: dict[str, list[Fault]] = field(default_factory=dict)
    access_keys: frozenset[str] | None = None

    def add(self, operation: str, fault: Fault) -> None:
        """Let it happen after those already due for the operation."""
        self.by_operation.setdefault(operation, []).append(fault)

    def next(self, operation: str) -> Fault | None:
        """The fault that this call meets."""
        due = self.by_operation.get(operation)
        if not due:
            return None
        fault = due[0]
        fault.times -= 1
        if fault.times <= 0:
            due.pop(0)
        return fault

    def refuses(self, access_key: str) -> bool:
        """Whether a call signed with this key is refused because it is no longer good."""
        return self.access_keys is not None and access_key not in self.access_keys
