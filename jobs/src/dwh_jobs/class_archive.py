"""Spark's classes as one archive that the JVM maps in instead of reading, checking and linking them.

`python -m dwh_jobs.class_archive` makes it once per checkout, below `.cache/spark`; every local run uses the
one that is there and works without. It can only be slow, never wrong: the JVM itself compares its build and
each jar with the archive, and ignores one that does not fit.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pyspark

CHECKOUT = Path(__file__).resolve().parents[3]
RECORDING_SECONDS = 300
_QUIET = "-Xlog:cds=off -Xlog:cds+dynamic=off"


def archive_path(checkout: Path = CHECKOUT) -> Path | None:
    """Where the archive of this Java and this Spark lies; None outside a checkout or without Java."""
    java = _java()
    if java is None or not (checkout / "jobs" / "pyproject.toml").is_file():
        return None
    parts = [java, Path(pyspark.__file__).parent / "jars"]
    identity = "\n".join(f"{part} {part.stat().st_mtime_ns}" for part in parts)
    name = sha256(f"{pyspark.__version__}\n{identity}".encode()).hexdigest()[:12]
    return checkout / ".cache" / "spark" / f"classes-{name}.jsa"


def using(path: Path | None) -> str:
    """JVM options that use the archive, none when it has not been made."""
    return f'-XX:SharedArchiveFile="{path}" {_QUIET}' if path and path.is_file() else ""


def recording(path: Path) -> str:
    """JVM options that write the archive when the JVM ends."""
    return f'-XX:ArchiveClassesAtExit="{path}" {_QUIET}'


def ensure(path: Path) -> bool:
    """Make the archive unless it is there; whether this call has made it."""
    with _locked(path.with_suffix(".lock")):
        if path.is_file():
            return False
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            part = Path(folder) / path.name
            command = [sys.executable, "-m", "dwh_jobs.class_archive_recording", str(part)]
            subprocess.run(  # noqa: S603 - this interpreter and a module of this package
                command, check=True, timeout=RECORDING_SECONDS, stdout=subprocess.DEVNULL
            )
            part.replace(path)
        for other in set(path.parent.glob("classes-*.jsa")) - {path}:
            other.unlink(missing_ok=True)
    return True


def main() -> int:
    """Entry point of `python -m dwh_jobs.class_archive`."""
    path = archive_path()
    if path is None:
        sys.stderr.write("class_archive: needs Java and a checkout of the sources\n")
        return 1
    try:
        made = ensure(path)
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"class_archive: not made, local runs start slower: {error}\n")
        return 1
    sys.stdout.write(f"{path} {'made' if made else 'is there'}\n")
    return 0


def _java() -> Path | None:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(str(Path(home, "bin", "java")) if home else "java")
    return Path(found).resolve() if found else None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
