"""Stop receiving while a dependency is away, instead of using the messages' receives up.

Guarantees that receiving is paused within one look of a failed check, or at once after `trip`, and
resumes by itself after the first look at which every check passes. Does not touch messages in hand.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from dwh_contracts.clock import Clock

from dwh_runtime.logging import get_logger

log = get_logger(__name__)

Check = Callable[[], Awaitable[object]]
"""Returns when the dependency answers and raises when it does not."""


async def failures(checks: Mapping[str, Check], patience_seconds: float) -> dict[str, str]:
    """Run all checks at once and say, by name, what is wrong; empty when all is well."""

    async def failure(check: Check) -> str | None:
        try:
            async with asyncio.timeout(patience_seconds):
                await check()
        except TimeoutError:
            return f"no answer within {patience_seconds:g} s"
        except Exception as error:  # noqa: BLE001 - a check says "away" by any exception
            return f"{type(error).__name__}: {error}"
        return None

    found = await asyncio.gather(*(failure(check) for check in checks.values()))
    return {name: text for name, text in zip(checks, found, strict=True) if text is not None}


class DependencyGate:
    """Watches what the handlers need and pauses the queue while any of it is away."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        pause: Callable[[], Awaitable[None]],
        resume: Callable[[], Awaitable[None]],
        clock: Clock,
        *,
        every: float = 1.0,
        patience: float = 3.0,
    ) -> None:
        self._checks = dict(checks)
        self._pause = pause
        self._resume = resume
        self._clock = clock
        self._every = every
        self._patience = patience
        self._away: dict[str, str] = {}
        self._last_away: float | None = None

    @property
    def away(self) -> Mapping[str, str]:
        """Dependencies that did not answer at the last look, with the reason; empty when open."""
        return self._away

    def was_away_since(self, instant: float) -> bool:
        """Whether a dependency was seen away at that instant of the monotonic clock, in seconds, or later."""
        return self._last_away is not None and self._last_away >= instant

    async def trip(self, dependency: str, why: str) -> None:
        """A handler met an absent dependency: close now, the next look decides further."""
        await self._pause()
        self._last_away = self._clock.monotonic()
        self._away = {**self._away, dependency: why}

    async def look(self) -> None:
        """Check everything once and open or close accordingly."""
        away = await failures(self._checks, self._patience)
        if away:
            if away.keys() != self._away.keys():
                log.warning("dependency_away", away=away)
            await self._pause()
            self._last_away = self._clock.monotonic()
        else:
            if self._away:
                log.info("dependency_back", back=sorted(self._away))
            await self._resume()
        self._away = away

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(self._every)
