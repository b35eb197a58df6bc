"""`python -m dwh_indexer`, also installed as `indexer`."""

import sys

from dwh_runtime.service import run

from dwh_indexer.app import build
from dwh_indexer.settings import SERVICE, Settings


def main() -> int:
    """Run until told to stop; the exit code says why (see `dwh_runtime.service`)."""
    return run(build, Settings, name=SERVICE)


if __name__ == "__main__":
    sys.exit(main())
