"""How long to leave alone an engine that says it is too busy."""

from collections.abc import Callable, Iterator

_FIRST_SECONDS = 0.05
_LONGEST_SECONDS = 5.0


def waits(seconds: float, jitter: Callable[[], float]) -> Iterator[float]:
    """Pauses before the second and each later try, in seconds; together `seconds` or a little more.

    Each is twice the one before it, at most five seconds; then each is cut or stretched by up to a half, as
    `jitter` (0 to 1) has it, so that those who were turned away together do not come back together.
    """
    pause, spent = _FIRST_SECONDS, 0.0
    while spent < seconds:
        yield pause * (0.5 + jitter())
        spent += pause
        pause = min(2 * pause, _LONGEST_SECONDS)
