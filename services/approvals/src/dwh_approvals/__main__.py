"""`python -m dwh_approvals`, also installed as `approvals`."""

import sys

from dwh_runtime.service import run

from dwh_approvals.app import build
from dwh_approvals.settings import SERVICE, Settings


def main() -> int:
    """Run until told to stop; the exit code says why (see `dwh_runtime.service`)."""
    return run(build, Settings, name=SERVICE)


if __name__ == "__main__":
    sys.exit(main())
