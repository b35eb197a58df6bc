"""What every contender has in common: fill the queue, consume it, note when each message was handled."""

import json
import os
import signal
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

QUEUE = "work"
REGION = "us-east-1"
ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "")
ACCOUNT = "000000000000"
QUEUE_URL = f"{ENDPOINT}/{ACCOUNT}/{QUEUE}"


def an_event(number: int) -> dict[str, Any]:
    """A job event of ordinary size, about 700 bytes."""
    return {
        "number": number,
        "event_type": "job_completed",
        "job_name": "transform_images",
        "job_run_id": f"spark-application-{number:012d}",
        "status": "SUCCESS",
        "metrics": {f"measure_{n}": n * 1.5 for n in range(20)},
        "artifacts": [f"s3://dwh-local-data/transform_images/part-{n:05d}.parquet" for n in range(4)],
    }


class Recorder:
    """Counts handled messages; on SIGWINCH writes times and processor seconds, and ends the process."""

    def __init__(self, count: int, path: Path) -> None:
        self._handled_at = array("d", bytes(8 * count))
        self._path = path
        self._started = 0.0
        signal.signal(signal.SIGWINCH, self._write)

    def handled(self, number: int) -> None:
        """Note that the handler of this message is done."""
        if not self._started:
            self._started = time.process_time()
        self._handled_at[number] = time.monotonic()

    def _write(self, *_: object) -> NoReturn:
        cpu_seconds = time.process_time() - self._started if self._started else 0.0
        answer = {"cpu_seconds": cpu_seconds, "handled_at": self._handled_at.tolist()}
        self._path.write_text(json.dumps(answer))
        os._exit(0)


def run(
    fill: Callable[[list[dict[str, Any]]], None], consume: Callable[[Callable[[int], None]], None]
) -> None:
    """Entry point: `fill COUNT`, or `consume COUNT FILE`."""
    verb, count = sys.argv[1], int(sys.argv[2])
    if verb == "fill":
        fill([an_event(number) for number in range(count)])
    else:
        consume(Recorder(count, Path(sys.argv[3])).handled)
