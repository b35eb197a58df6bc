"""Texts within the limits of contracts.md 1."""

LONGEST_MESSAGE = 4_000
LONGEST_STACK_TRACE = 32_000
_ROOM_FOR_THE_CUT = 40


def cut(text: str, longest: int) -> str:
    """`text`, or its beginning and `…[cut N]`, N characters being gone; never more than `longest`."""
    if len(text) <= longest:
        return text
    kept = max(longest - _ROOM_FOR_THE_CUT, 0)
    return f"{text[:kept]}…[cut {len(text) - kept}]"[:longest]
