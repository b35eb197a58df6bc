"""Which failures are worth a line in the log."""

from faststream_sqs.clock import Clock

QUIET_SECONDS = 60.0
"""So long without a failure ends a spell."""


class Spell:
    """Counts failures that follow each other within a minute, whether or not something succeeds between.

    An outage is no flood then, and neither is a connection that fails now and again for days.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = 0
        self._last = 0.0

    def note(self) -> int | None:
        """Count a failure; its number when it is the 1st, 2nd, 4th, 8th … of the spell."""
        now = self._clock.monotonic()
        self._count = 1 if now - self._last > QUIET_SECONDS else self._count + 1
        self._last = now
        return self._count if self._count & (self._count - 1) == 0 else None
