"""Become a program of the local system: `python -m dwh_local.launch FILE`.

The file holds command, environment and directory as JSON; the environment is added to the supervisor's, which
holds nothing of AWS, DWH or Airflow. Supervisor's own configuration could not carry the
environment: its format has no escape for quotes.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Replace this process by the program."""
    program = json.loads(Path(sys.argv[1]).read_bytes())
    os.chdir(program["directory"])
    environment = {**os.environ, **program["environment"]}
    os.execvpe(program["command"][0], program["command"], environment)  # noqa: S606 - that is its task


if __name__ == "__main__":
    main()
