"""Fetch files of the Maven registry with the Ivy inside pyspark, into a folder that is whole or absent."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from dwh_local.errors import LocalError, Missing
from dwh_local.java import Java
from dwh_local.paths import Checkout


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is fetched: Ivy's arguments that name it, and the committed list of its files and their sums."""

    name: str
    """Of the list `data/<name>.sha256`, and in messages."""
    arguments: Sequence[str]
    kinds: str = "jar bundle"

    @property
    def sums(self) -> dict[str, str]:
        """File name to SHA-256 of every file."""
        text = resources.files("dwh_local").joinpath("data", f"{self.name}.sha256").read_text()
        return {name: digest for digest, name in (row.split() for row in text.splitlines())}


def fetch(place: Checkout, java: Java, wanted: Fetched, directory: Path) -> None:
    """Bring the files into `directory`, which appears when all are there and right (a minute, once).

    Raises:
        LocalError: they cannot be had, or differ from their sums.
    """
    staging = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    pattern = staging / "[organisation]_[artifact]-[revision](-[classifier]).[ext]"
    command = [java.path, "-jar", str(_ivy(place)), "-warn", "-cache", str(place.cache / "ivy" / wanted.name)]
    command += [*wanted.arguments, "-types", *wanted.kinds.split(), "-retrieve", str(pattern)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        last = (answer.stdout + answer.stderr).strip().splitlines()[-1:]
        raise LocalError(f"the files of {wanted.name} could not be downloaded: {' '.join(last)}")
    verified(staging, wanted.sums)
    staging.rename(directory)


def verified(directory: Path, sums: dict[str, str]) -> list[Path]:
    """Every file of `sums`, in order. Raises LocalError naming the first that is missing or differs."""
    paths = [directory / name for name in sorted(sums)]
    for path in paths:
        if not path.is_file():
            raise LocalError(f"{path} is missing: remove {directory} and try again")
        if hashlib.sha256(path.read_bytes()).hexdigest() != sums[path.name]:
            raise LocalError(
                f"{path} differs from its committed SHA-256 sum: remove {directory} and try again"
            )
    return paths


def _ivy(place: Checkout) -> Path:
    site = place.bin("jobs").parent / "lib"
    found = sorted(site.glob("python*/site-packages/pyspark/jars/ivy-*.jar"))
    if not found:
        raise Missing(f"no Ivy inside pyspark under {site}: run `make setup`")
    return found[-1]
