"""`python -m dwh_local.prepare`: fetch and make what is made once, before anything waits for it.

The node of the local system, and what tests start beside it: the other line of OpenSearch, the plugin of a
node with users and TLS. Where no Java here runs a line, one is fetched from the Python packages, too.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from dwh_local import opensearch, secured
from dwh_local.errors import LocalError, NoJava
from dwh_local.jars import LINES, SUPPORTED
from dwh_local.java import java_of
from dwh_local.paths import Checkout, checkout
from dwh_local.progress import Progress


def main() -> int:
    """Everything, three things at a time; the exit code."""
    progress = Progress(lambda line: print(line, flush=True))  # noqa: T201 - it talks to a person
    place = checkout()
    _bring_java(place, progress)
    works: list[Callable[[], object]] = [
        partial(opensearch.install, place, say=progress.say),
        *(partial(_other_line, place, line, progress) for line in SUPPORTED),
        partial(secured.ensure_plugin, place, progress.say),
    ]
    with ThreadPoolExecutor() as pool:
        problems = [begun.exception() for begun in [pool.submit(work) for work in works]]
    for problem in problems:
        if isinstance(problem, LocalError):
            print(f"prepare: {problem}", file=sys.stderr)  # noqa: T201
        elif problem is not None:
            raise problem
    if any(problems):
        return 1
    progress.say("the OpenSearch nodes are ready to start")
    return 0


def _other_line(place: Checkout, line: str, progress: Progress) -> None:
    try:
        opensearch.install(place, line, progress.say)
    except NoJava as error:
        progress.say(f"no node of OpenSearch {line}, its tests will be skipped: {error}")


def _bring_java(place: Checkout, progress: Progress) -> None:
    """A newer Java than the system has, where the 3.x line needs it; without one its tests are skipped."""
    try:
        java_of(LINES["3.8"].javas, place)
    except NoJava:
        progress.say("fetching a Java for OpenSearch 3.x (once)")
        command = [sys.executable, str(place.root / "scripts" / "setup.py"), "java"]
        subprocess.run(command, check=False)


if __name__ == "__main__":
    sys.exit(main())
