"""The known name nearest to an unknown one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question to end an error message with, or nothing when no known name is near."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f" (did you mean {found[0]}?)" if found else ""
