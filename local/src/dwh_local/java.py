"""The Java that runs the OpenSearch node and Spark."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dwh_local.errors import Missing

OLDEST = 17
REMEDY = "install one (Debian: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17)"


@dataclass(frozen=True, slots=True)
class Java:
    """A Java runtime and its feature version."""

    path: str
    version: int
    build: str


def find_java() -> Java:
    """The Java of JAVA_HOME, else of PATH. Raises Missing with the way to install one."""
    home = os.environ.get("JAVA_HOME")
    path = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if path is None or not Path(path).exists():
        raise Missing(f"Java {OLDEST} or newer is missing: {REMEDY}")
    answer = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)
    text = answer.stderr + answer.stdout
    found = re.search(r'version "(\d+)[^"]*"', text)
    if found is None or int(found.group(1)) < OLDEST:
        shown = found.group(1) if found else "of unknown version"
        raise Missing(f"Java {OLDEST} or newer is needed, `{path}` is {shown}: {REMEDY}")
    return Java(path=path, version=int(found.group(1)), build=text.strip())
