"""Daily work of the local system: make the coming months' indices, close the old ones."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

DAY_SECONDS = 24 * 3600.0


def main() -> None:
    """Run `bootstrap` once a day, for ever; supervisor ends it. The first time is a day after `up` did it."""
    pause = threading.Event()
    while not pause.wait(DAY_SECONDS):
        subprocess.run([sys.executable, "-m", "dwh_cli", "bootstrap"], env=dict(os.environ), check=True)


if __name__ == "__main__":
    main()
