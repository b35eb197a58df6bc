"""Rows of the result: a figure, the bound it is held against, what it was compared with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    name: str
    figure: float
    unit: str
    bound: float | None = None
    at_most: bool = False
    """The bound is the most instead of the least."""
    beside: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the bound is kept; None where there is none."""
        if self.bound is None:
            return None
        return self.figure <= self.bound if self.at_most else self.figure >= self.bound

    def __str__(self) -> str:
        sign = "≤" if self.at_most else "≥"
        bound = "" if self.bound is None else f"{sign} {_shown(self.bound)}"
        met = {None: "", True: "yes", False: "NO"}[self.met]
        return f"| {self.name} | {_shown(self.figure)} | {self.unit} | {bound} | {met} | {self.beside} |"


HEAD = "| measure | figure | unit | bound | met | beside |\n|---|--:|---|--:|---|---|"


def _shown(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 or figure == int(figure) else f"{figure:,.2f}"


def percent(name: str, ours: float, other: float, bound: float | None, beside: str) -> Row:
    """A rate as a share of another."""
    return Row(name, 100 * ours / other, "%", bound, beside=f"{beside}: {ours:,.0f} of {other:,.0f} a second")
