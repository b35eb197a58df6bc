"""The console script `bootstrap`: `dwh bootstrap` for images and jobs that do nothing else."""

import sys

from dwh_cli.__main__ import main as dwh


def main() -> None:
    """As `dwh bootstrap`, with its options."""
    sys.argv[1:1] = ["bootstrap"]
    dwh()
