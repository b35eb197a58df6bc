"""Event stores on Postgres, on the same events: message-db and pyeventsourcing, each in a process of its own.

The server is a throwaway cluster of Debian's Postgres with its defaults: fsync and synchronous commits.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dwh_local.testing import free_port
from measured_events import encoded, plain
from table import Row

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
PYTHON = ROOT / ".venvs" / "peers-store" / "bin" / "python"
MESSAGE_DB = HERE / "peers" / "node_modules" / "@eventide" / "message-db" / "database"
PACKAGE = "postgresql"
PEERS = {"message-db": "message_db.py", "pyeventsourcing": "pyeventsourcing.py"}


class Absent(Exception):  # noqa: N818 - a state of this machine, not a fault
    """What a peer needs is not here; the message says how it comes."""


def measure(total: int) -> list[Row]:
    """Single and in batches of 100, four at once."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        place.chmod(0o755)
        (place / "events.jsonl").write_text(
            "".join(encoded(plain("measured", number)) + "\n" for number in range(total)), encoding="utf-8"
        )
        with _cluster(place / "cluster") as address:
            return [row for name in PEERS for row in _peer(name, place / "events.jsonl", address)]


def _peer(name: str, events: Path, address: dict[str, str]) -> list[Row]:
    if not PYTHON.exists():
        raise Absent("the environment of the peers is missing: python3 scripts/setup.py peers-store")
    command = [str(PYTHON), str(HERE / "peers" / PEERS[name]), str(events)]
    environment = os.environ | address | {"MESSAGE_DB": str(_message_db())}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise RuntimeError(f"{name}: {answer.stderr[-2000:]}")
    told: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return [
        Row(f"{name} on Postgres, {how}", rate, "events/s", beside="for comparison")
        for how, rate in told.items()
    ]


def _message_db() -> Path:
    """The package of the registry, installed by its client from the lock beside the peers."""
    if not MESSAGE_DB.is_dir():
        npm = shutil.which("npm")
        if npm is None:
            raise Absent("npm is missing (Debian: apt-get install npm)")
        subprocess.run(
            [npm, "ci", "--silent", "--ignore-scripts"], cwd=HERE / "peers", check=True, stdout=sys.stderr
        )
    return MESSAGE_DB


@contextmanager
def _cluster(directory: Path) -> Iterator[dict[str, str]]:
    """A server for this measurement alone; what clients need to find it."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not programs:
        raise Absent(f"Postgres is missing (Debian: apt-get install {PACKAGE})")
    bin_ = programs[-1].parent
    port = free_port(20_000, 21_000)
    directory.mkdir()
    as_owner = _as_owner(directory)
    _run(*as_owner, str(bin_ / "initdb"), "--auth=trust", "--username=postgres", "-D", str(directory))
    options = f"-p {port} -k {directory} -h 127.0.0.1"
    control = (*as_owner, str(bin_ / "pg_ctl"), "-D", str(directory), "-w")
    _run(*control, "-l", str(directory / "log"), "-o", options, "start")
    try:
        yield {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "postgres", "PGDATABASE": "postgres"}
    finally:
        _run(*control, "-m", "fast", "stop")


def _as_owner(directory: Path) -> Sequence[str]:
    """Postgres does not run as root: there it is the user of its package."""
    if os.geteuid() != 0:
        return ()
    owner = pwd.getpwnam("postgres")
    os.chown(directory, owner.pw_uid, owner.pw_gid)
    return ("runuser", "-u", "postgres", "--")


def _run(*command: str) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise RuntimeError(f"{command[-1]}: {answer.stderr[-1000:]}")
