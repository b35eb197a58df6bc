"""`python -m dwh_alerts`, also installed as `alerts`."""

import sys

from dwh_runtime.service import run

from dwh_alerts.app import build
from dwh_alerts.settings import SERVICE, Settings


def main() -> int:
    """Run until told to stop; the exit code says why (see `dwh_runtime.service`)."""
    return run(build, Settings, name=SERVICE)


if __name__ == "__main__":
    sys.exit(main())
