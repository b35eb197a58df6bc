"""Compare SQS consumers: same messages, same canned server, same machine, one run.

The server answers from memory, so what is measured is the consumer. Every contender fills the queue with
its own kind of envelope around the same events, then consumes them in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from faststream_sqs.testing.canned import CannedSQS

ROOT = Path(__file__).resolve().parents[2]
CONTENDERS = Path(__file__).parent / "contenders"
RESULTS = ROOT / "benchmarks" / "results"
OURS, PEERS = Path(sys.executable), ROOT / ".venvs" / "peers" / "bin" / "python"
FILL_SECONDS = 120.0
ADDITIONS = 5_000_000
TAIL_CHARACTERS = 2000
PLAN = {
    "faststream_sqs, single": ("ours_single.py", OURS),
    "faststream_sqs, batch": ("ours_batch.py", OURS),
    "plain aiobotocore loop": ("aiobotocore_loop.py", OURS),
    "Celery (kombu)": ("celery_kombu.py", PEERS),
    "taskiq (taskiq-aio-sqs)": ("taskiq_sqs.py", PEERS),
    "dramatiq (dramatiq-sqs)": ("dramatiq_sqs_worker.py", PEERS),
    "sqs-workers": ("sqs_workers_loop.py", PEERS),
}


SETTINGS = """Bodies of 700 bytes; ours and the plain loop read them with a pydantic model, others as JSON.
Single: 50 workers, 50 prefetched. Batch: ten to a handler, ten workers. Plain loop: four side by side, no
heartbeat, no retries. Celery: prefetch 100; taskiq: 100 tasks at once; dramatiq: eight threads;
sqs-workers: one process, batched deletes."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One contender; `reason` says why there are no figures."""

    name: str
    messages: int = 0
    messages_per_second: float = 0.0
    cpu_microseconds_per_message: float = 0.0
    calls_per_1000_messages: float = 0.0
    ack_lag_p99_milliseconds: float = 0.0
    reason: str = ""


async def measure(name: str, script: str, python: Path, count: int, seconds: float) -> Measured:
    """Fill, consume, compare what the consumer noted with what the server saw."""
    if not python.exists():  # noqa: ASYNC240 - before anything runs
        return Measured(name, reason="its environment is missing: python3 scripts/setup.py peers")
    async with CannedSQS() as server:
        server.queue("work")
        with tempfile.TemporaryDirectory() as directory:
            notes, log = Path(directory) / "notes.json", Path(directory) / "log"
            problem = await _fill(server, script, python, count, log)
            if problem:
                return Measured(name, reason=problem)
            server.calls.clear()
            with log.open("wb") as sink:
                process = await _start(server, python, script, "consume", str(count), str(notes), sink=sink)
            await _watch(server, process, seconds)
            if not notes.exists() or not server.queue("work").deleted_at:
                return Measured(name, reason=_tail(log))
            return _figures(name, server, json.loads(notes.read_text()))


async def _watch(server: CannedSQS, process: asyncio.subprocess.Process, seconds: float) -> None:
    emptied = asyncio.ensure_future(server.queue("work").wait_empty())
    ended = asyncio.ensure_future(process.wait())
    await asyncio.wait((emptied, ended), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    emptied.cancel()
    if not ended.done():
        process.send_signal(signal.SIGWINCH)
        await asyncio.wait((ended,), timeout=10)
    if not ended.done():
        process.kill()
    await ended


def _figures(name: str, server: CannedSQS, notes: dict[str, object]) -> Measured:
    queue = server.queue("work")
    handled_at, cpu_seconds = notes["handled_at"], notes["cpu_seconds"]
    assert isinstance(handled_at, list)
    assert isinstance(cpu_seconds, float)
    done = len(queue.deleted_at)
    elapsed = max(queue.deleted_at.values()) - min(queue.received_at.values())
    lags = sorted(at - handled_at[number] for number, at in queue.deleted_at.items())
    return Measured(
        name,
        messages=done,
        messages_per_second=round(done / elapsed),
        cpu_microseconds_per_message=round(cpu_seconds / done * 1e6),
        calls_per_1000_messages=round(sum(server.calls.values()) / done * 1000),
        ack_lag_p99_milliseconds=round(lags[int(len(lags) * 0.99)] * 1000, 1),
    )


async def _fill(server: CannedSQS, script: str, python: Path, count: int, log: Path) -> str:
    with log.open("wb") as sink:
        process = await _start(server, python, script, "fill", str(count), sink=sink)
    try:
        async with asyncio.timeout(FILL_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        return f"sent {server.queue('work').left} of {count} messages within {FILL_SECONDS:.0f} s"
    left = server.queue("work").left
    return "" if left == count else f"sent {left} of {count} messages: {_tail(log)}"


async def _start(
    server: CannedSQS, python: Path, script: str, *arguments: str, sink: object
) -> asyncio.subprocess.Process:
    environment = os.environ | {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "canned",
        "AWS_SECRET_ACCESS_KEY": "canned",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
    return await asyncio.create_subprocess_exec(
        str(python), str(CONTENDERS / script), *arguments, env=environment, stdout=sink, stderr=sink
    )


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace")[-TAIL_CHARACTERS:].strip().splitlines()
    return lines[-1] if lines else "it handled nothing and said nothing"


def additions_per_second() -> float:
    """How fast Python is here and now: the same virtual machine may be half as fast an hour later."""
    started, total = time.perf_counter(), 0
    for number in range(ADDITIONS):
        total += number
    return ADDITIONS / (time.perf_counter() - started)


def table(results: list[Measured]) -> str:
    """The results as Markdown."""
    rows = [
        "| consumer | messages/s | CPU µs/message | calls/1,000 | ack lag p99 ms |",
        "|---|--:|--:|--:|--:|",
    ]
    for r in results:
        figures = (
            f"{r.messages_per_second:,.0f} | {r.cpu_microseconds_per_message:,.0f} | "
            f"{r.calls_per_1000_messages:,.0f} | {r.ack_lag_p99_milliseconds:,.1f} |"
        )
        rows.append(f"| {r.name} | {r.reason or figures}{' | | | |' if r.reason else ''}")
    return "\n".join(rows)


async def main() -> int:
    """Entry point of `make bench`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="a consumer that needs longer is cut")
    parser.add_argument("--only", action="append", default=[], help="part of a contender's name")
    asked = parser.parse_args()
    results, speed = [], additions_per_second()
    for name, (script, python) in PLAN.items():
        if asked.only and not any(part in name for part in asked.only):
            continue
        results.append(await measure(name, script, python, asked.messages, asked.seconds))
        print(table(results[-1:]).splitlines()[-1], flush=True)
    print("\n" + table(results) + "\n\n" + SETTINGS)
    print(f"This machine just now: {speed / 1e6:.1f} million additions of Python a second.")
    if not asked.only:
        RESULTS.mkdir(parents=True, exist_ok=True)
        record = {
            "messages": asked.messages,
            "python": platform.python_version(),
            "processors": os.cpu_count(),
            "load": os.getloadavg(),
            "additions_per_second": round(speed),
            "consumers": [asdict(result) for result in results],
        }
        (RESULTS / "sqs.json").write_text(json.dumps(record, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
