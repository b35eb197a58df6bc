"""Events that could not be sent, kept until they can.

`python -m dwh_jobs.spool flush --spool URI [--topic_arn ARN]` sends what is spooled; so does the next run
of any job that shares the spool. An event is removed after it was sent, so a crash in between sends it
twice under the same id, which every reader knows how to meet.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from dwh_jobs.artifacts import open_store
from dwh_jobs.sinks import EventSink, Message, SnsSink
from dwh_jobs.uris import as_uri, join

PER_FLUSH = 200


class Spool:
    """A folder with one file per unsent event, in the order of their names."""

    def __init__(self, folder: str) -> None:
        self.folder = as_uri(folder)
        self._store = open_store(self.folder)

    def put(self, message: Message) -> str:
        """Keep a message; putting it again changes nothing."""
        uri = join(self.folder, f"{message.event_id}.json")
        kept = {
            "event_id": message.event_id,
            "body": message.body,
            "attributes": dict(message.attributes),
            "subject": message.subject,
        }
        self._store.write(uri, json.dumps(kept, ensure_ascii=False).encode())
        return uri

    def remove(self, uri: str) -> None:
        """Forget a message that was sent."""
        self._store.delete(uri)

    def flush(self, sink: EventSink) -> int:
        """Send what is kept, at most 200 events, and stop at the first that does not leave; how many left."""
        sent = 0
        if not self._store.holds(self.folder):
            return sent
        for file in self._store.files(self.folder)[:PER_FLUSH]:
            stored = self._store.read(file.uri)
            if stored is None:  # another run has just sent it
                continue
            sink.send(Message(**json.loads(stored.body)))
            self.remove(file.uri)
            sent += 1
        return sent


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m dwh_jobs.spool`."""
    parser = argparse.ArgumentParser(prog="dwh_jobs.spool", description=__doc__, allow_abbrev=False)
    parser.add_argument("verb", choices=["flush"])
    parser.add_argument("--spool", required=True, metavar="URI")
    parser.add_argument("--topic_arn", default=os.environ.get("DWH_JOB_EVENTS_TOPIC_ARN"), metavar="ARN")
    given = parser.parse_args(argv)
    if not given.topic_arn:
        parser.error("--topic_arn or DWH_JOB_EVENTS_TOPIC_ARN is needed")
    sink = SnsSink(given.topic_arn, os.environ.get("AWS_REGION", "us-east-1"))
    try:
        sent = Spool(given.spool).flush(sink)
    except Exception as error:  # noqa: BLE001 - whatever kept the event from leaving is the answer
        sys.stderr.write(f"spool: {error}\n")
        return 1
    sys.stdout.write(f"{sent} events sent\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
