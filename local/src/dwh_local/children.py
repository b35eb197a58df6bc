"""Start a process of the local system outside supervisor: for tests, and for what is made once."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dwh_local.waiting import until

PR_SET_PDEATHSIG = 1


class Child:
    """A running process with its own log. It ends with its parent, even when that is killed (Linux)."""

    def __init__(self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                list(command),
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one prctl
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def stop(self, *, seconds: float = 30) -> None:
        """Ask the process to end; kill it when it did not within `seconds`. Harmless when it is gone."""
        if self.alive():
            self._process.terminate()
            if not until(lambda: not self.alive(), seconds=seconds):
                self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self._process.kill()
        self._process.wait()

    def tail(self, lines: int = 5) -> str:
        """The last lines of the log, for error texts."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _end_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
