"""Bring the system packages that only tests need, where this user may; elsewhere name them.

Root on Debian or Ubuntu gets what is missing by apt-get. Anybody else is told the command, and so is who
has no package source at hand: the tests that need the missing part are then skipped with that reason, so
this never fails. When nothing is missing it looks at the search path and returns.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# What a test starts, and the Debian package that has it.
PACKAGES = {"promtool": "prometheus"}
APT = ("apt-get", "-qq", "-o", "Dpkg::Use-Pty=0")


def missing(packages: Mapping[str, str] = PACKAGES) -> list[str]:
    """The packages whose command is not on the search path."""
    return sorted({package for command, package in packages.items() if shutil.which(command) is None})


def may_install() -> bool:
    """True for root where apt-get rules."""
    return os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


def install(packages: list[str]) -> str | None:
    """Install them; what went wrong, or None."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (("update",), ("install", "--yes", "--no-install-recommends", *packages)):
        answer = subprocess.run(
            [*APT, *command], env=environment, capture_output=True, text=True, check=False
        )
        if answer.returncode != 0:
            return answer.stderr.strip().rpartition("\n")[2] or f"exit code {answer.returncode}"
    return None


def main() -> int:
    """Entry point of the first step of `make test`."""
    wanted = missing()
    if not wanted:
        return 0
    names = " ".join(wanted)
    if not may_install():
        print(f"tests: {names} missing, the tests that need it are skipped; apt-get install {names}")
        return 0
    print(f"tests: installing {names}", flush=True)
    problem = install(wanted)
    if problem is not None:
        print(f"tests: {names} could not be installed, the tests that need it are skipped: {problem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
