"""Whether one queue is being received from: closed while anybody has a reason to keep it closed."""

from collections.abc import Awaitable, Callable

from dwh_runtime.logging import get_logger

log = get_logger(__name__)


class Valve:
    """Several reasons, one switch: opening by one holder never overrules another."""

    def __init__(self, pause: Callable[[], Awaitable[None]], resume: Callable[[], Awaitable[None]]) -> None:
        self._pause = pause
        self._resume = resume
        self._reasons: set[str] = set()

    @property
    def closed_by(self) -> frozenset[str]:
        """Why nothing is received now; empty when open."""
        return frozenset(self._reasons)

    async def close(self, reason: str) -> None:
        """Stop receiving for `reason`; repeated calls are harmless.

        Each one pauses anew: a broker that had not started at the first call has by a later one.
        """
        if reason not in self._reasons:
            self._reasons.add(reason)
            log.warning("receiving_paused", reason=reason)
        await self._pause()

    async def open(self, reason: str) -> None:
        """Take `reason` back; receiving resumes when it was the last one."""
        if reason not in self._reasons:
            return
        self._reasons.discard(reason)
        if not self._reasons:
            log.info("receiving_resumed", reason=reason)
            await self._resume()
