"""Run the broker's unit tests on the oldest and the newest FastStream that it says it works with.

Each in an environment that is thrown away: everything as locked, but FastStream.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UV = str(ROOT / ".venv" / "bin" / "uv")
PACKAGE = ROOT / "libs" / "faststream-sqs"
VERSIONS = ("faststream==0.7.8", "faststream>=0.7.8,<0.8")
"""The second means the newest; both ends as in the package's own requirements."""


def test(wanted: str, seen: set[str]) -> int:
    """The exit code of the tests; 0 for a version that was seen already."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, directory], check=True)
        python = str(Path(directory) / "bin" / "python")
        install = [UV, "pip", "install", "--quiet", "--python", python]
        subprocess.run([*install, "-r", str(ROOT / "requirements" / "workspace.txt")], check=True)
        subprocess.run([*install, "--upgrade-package", "faststream", wanted], check=True)
        show = "import importlib.metadata as m; print(m.version('faststream'))"
        version = subprocess.run(
            [python, "-c", show], check=True, capture_output=True, text=True
        ).stdout.strip()
        print(f"{wanted}: {version}{', as before' if version in seen else ''}", flush=True)
        if version in seen:
            return 0
        seen.add(version)
        subprocess.run([*install, "--no-deps", "--no-build-isolation", "-e", str(PACKAGE)], check=True)
        tests = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(PACKAGE / "tests" / "unit")]
        return subprocess.run(tests, cwd=ROOT, check=False).returncode


def main() -> int:
    """Entry point of `make test-faststream`."""
    seen: set[str] = set()
    return max([test(version, seen) for version in VERSIONS])


if __name__ == "__main__":
    sys.exit(main())
