"""Leave out of an environment what no service of the image reads.

Promises to remove only what the lists below name: descriptions of AWS services nobody here calls, test
suites, headers and sources of compiled parts. Everything else stays as it was installed.
"""

import shutil
import sys
from pathlib import Path

AWS_SERVICES = frozenset(
    {
        "sns",  # topics
        "sqs",  # queues
        "s3",  # workflow config, alert routes, large messages
        "sts",  # credentials of a pod's role
        "glue",  # triggers of the orchestrator
        "stepfunctions",
        "events",
    }
)
"""Folders of botocore's data that stay; its files beside them (endpoints, partitions, retries) all stay."""

UNREAD_FOLDERS = ("tests", "test", "include")
"""Below a top-level package: suites and headers, for those who build or check the package."""

UNREAD_SUFFIXES = frozenset({".pyx", ".pxd", ".pxi", ".pyi", ".c", ".h", ".hpp", ".cpp", ".rs"})
"""Sources of compiled parts, and types for checkers."""


def prune(site_packages: Path) -> int:
    """Remove what is unread; the bytes that it held."""
    before = _size(site_packages)
    for folder in (site_packages / "botocore" / "data").iterdir():
        if folder.is_dir() and folder.name not in AWS_SERVICES:
            shutil.rmtree(folder)
    for package in site_packages.iterdir():
        for name in UNREAD_FOLDERS:
            shutil.rmtree(package / name, ignore_errors=True)
    for file in site_packages.rglob("*"):
        if file.suffix in UNREAD_SUFFIXES and file.is_file():
            file.unlink()
    return before - _size(site_packages)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    [found] = Path(sys.argv[1]).glob("lib/python*/site-packages")
    sys.stdout.write(f"left out: {prune(found) / 1e6:.0f} MB\n")
