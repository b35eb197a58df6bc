"""`python -m dwh_orchestrator`, also installed as `orchestrator`."""

import sys

from dwh_runtime.service import run

from dwh_orchestrator.app import build
from dwh_orchestrator.settings import SERVICE, Settings


def main() -> int:
    """Run until told to stop; the exit code says why (see `dwh_runtime.service`)."""
    return run(build, Settings, name=SERVICE)


if __name__ == "__main__":
    sys.exit(main())
