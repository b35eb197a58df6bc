"""pyeventsourcing: its recorder for Postgres, one aggregate per run."""

from __future__ import annotations

import json
import os
import sys
import uuid
from pathlib import Path

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from timing import AT_ONCE, BATCH, batches, told


def stored(file: Path) -> list[StoredEvent]:
    """As the library's mapper would leave them."""
    return [
        StoredEvent(uuid.UUID(hex=json.loads(line)["event_id"]), 0, "job_completed", line.encode())
        for line in file.read_text(encoding="utf-8").splitlines()
    ]


def main() -> None:
    """Make its table, then measure."""
    datastore = PostgresDatastore(
        dbname=os.environ["PGDATABASE"],
        host=os.environ["PGHOST"],
        port=os.environ["PGPORT"],
        user=os.environ["PGUSER"],
        password="",
        pool_size=AT_ONCE,
        max_overflow=AT_ONCE,
    )
    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()
    events = stored(Path(sys.argv[1]))
    some = len(events) // 5
    ways = {
        "single, 4 at once": batches(events[:some], 1),
        "batches of 100, 4 at once": batches(events[some:], BATCH),
    }
    told(lambda: recorder, lambda each, batch: each.insert_events(batch), ways)
    datastore.close()


if __name__ == "__main__":
    main()
