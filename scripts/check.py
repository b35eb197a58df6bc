"""Run every quick check, two at a time, and show only what failed.

Format, lint, types, import rules, dependencies, unit tests: the commands a reviewer would type.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv" / "bin"
SOURCES = ["libs", "services", "cli", "local", "jobs", "dags", "scripts", "deploy", "benchmarks", "tests"]
PACKAGES = [
    *("libs/contracts", "libs/faststream-sqs", "libs/eventstore", "libs/runtime"),
    *("services/indexer", "services/alerts", "services/orchestrator", "services/approvals", "cli", "local"),
]
TYPED = [
    *(f"{package}/src" for package in PACKAGES),
    *(str(path) for path in sorted((ROOT / "benchmarks" / "store").glob("*.py"))),
]
UNIT_TESTS = ["tests/unit", "tests/contracts", "tests/architecture", "libs/faststream-sqs/tests/unit"]

CHECKS: dict[str, list[str]] = {
    "unit tests": [
        str(BIN / "python"),
        "-m",
        "pytest",
        "-q",
        "-n",
        "2",
        "-m",
        "not long and not prove",
        *UNIT_TESTS,
    ],
    "types": [str(BIN / "mypy"), "--no-error-summary", *TYPED],
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", *SOURCES],
    "lint": [str(BIN / "ruff"), "check", "--quiet", *SOURCES],
    "imports": [str(BIN / "lint-imports")],
    **{
        f"dependencies of {package}": [
            str(BIN / "deptry"),
            "--config",
            f"{package}/pyproject.toml",
            f"{package}/src",
        ]
        for package in PACKAGES
    },
}


def run(name: str) -> tuple[str, int, str, float]:
    """One check: its name, exit code, output and seconds."""
    started = time.monotonic()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "jobs" / "src"), "NO_COLOR": "1"}
    answer = subprocess.run(
        CHECKS[name], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return name, answer.returncode, answer.stdout + answer.stderr, time.monotonic() - started


def main() -> int:
    """Entry point of `make check`."""
    failed = 0
    with ThreadPoolExecutor(max_workers=2) as pool:
        for name, code, output, seconds in pool.map(run, CHECKS):
            print(f"{'ok    ' if code == 0 else 'FAILED'} {seconds:5.1f} s  {name}", flush=True)
            if code != 0:
                failed += 1
                print(output)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
