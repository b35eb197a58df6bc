"""`python -m dwh_local.prepare`: fetch and make what is made once, before anything waits for it."""

from __future__ import annotations

import sys

from dwh_local import opensearch
from dwh_local.errors import LocalError
from dwh_local.progress import Progress


def main() -> int:
    """Jars and class archive of the OpenSearch node; the exit code."""
    progress = Progress(lambda line: print(line, flush=True))  # noqa: T201 - it talks to a person
    try:
        opensearch.install(say=progress.say)
    except LocalError as error:
        print(f"prepare: {error}", file=sys.stderr)  # noqa: T201
        return 1
    progress.say("the OpenSearch node is ready to start")
    return 0


if __name__ == "__main__":
    sys.exit(main())
