"""message-db: each event by its function `write_message`, all in one category."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import psycopg
from timing import BATCH, batches, told

DATABASE = "message_store"
WRITE = "SELECT message_store.write_message(%s, %s, %s, %s::jsonb, NULL, NULL)"
Row = tuple[str, str, str, str]


def rows(file: Path) -> list[Row]:
    """Arguments of the function."""
    bodies = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [
        (
            str(uuid.UUID(hex=body["event_id"])),
            f"run-{body['job_run_id']}",
            body["event_type"],
            json.dumps(body),
        )
        for body in bodies
    ]


def write(connection: psycopg.Connection, batch: list[Row]) -> None:
    """One transaction; its statements go without waiting for one another's answers."""
    with connection.transaction(), connection.pipeline(), connection.cursor() as cursor:
        cursor.executemany(WRITE, batch)


def connect() -> psycopg.Connection:
    """A connection to its database."""
    return psycopg.connect(dbname=DATABASE, autocommit=True, options="-c search_path=message_store,public")


def main() -> None:
    """Install it by its own script, then measure."""
    subprocess.run(
        ["bash", "./install.sh"],
        cwd=os.environ["MESSAGE_DB"],
        check=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"DATABASE_NAME": DATABASE},
    )
    events = rows(Path(sys.argv[1]))
    some = len(events) // 5
    told(
        connect,
        write,
        {
            "single, 4 at once": batches(events[:some], 1),
            "batches of 100, 4 at once": batches(events[some:], BATCH),
        },
    )


if __name__ == "__main__":
    main()
