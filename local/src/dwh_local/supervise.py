"""Supervisor, configured and controlled: it starts, restarts and stops the programs and keeps their logs."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xmlrpc.client import Error, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from dwh_local.aws import inherited
from dwh_local.errors import LocalError, NotReady
from dwh_local.paths import Checkout
from dwh_local.programs import AIRFLOW, NAMES, Program
from dwh_local.waiting import until

LONGEST_SOCKET_PATH = 90  # a Unix socket's address ends at 108 bytes, and supervisor appends to it
STOP_SECONDS = 30
AIRFLOW_STOP_SECONDS = 5
RUNNING, STARTING = "RUNNING", "STARTING"


class Supervisor:
    """The supervisor of one checkout."""

    def __init__(self, place: Checkout) -> None:
        self.place = place
        self._socket = socket_path(place)

    def alive(self) -> bool:
        """Whether the supervisor runs."""
        try:
            return bool(self._call("getState")["statename"] == "RUNNING")
        except (OSError, Error):
            return False

    def start_daemon(self) -> None:
        """Start the supervisor, with no program running yet. Harmless when it runs."""
        if self.alive():
            return
        self._write_configuration()
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._configuration)]
        answer = subprocess.run(command, env=inherited(), capture_output=True, text=True, check=False)
        if answer.returncode != 0 or not until(self.alive, seconds=15):
            raise NotReady(f"supervisor did not start: {(answer.stderr or answer.stdout).strip()[-500:]}")

    def define(self, program: Program) -> bool:
        """Write what a program is; True when that differs from what it was.

        The caller's own environment is no part of it: `up` from another shell must restart nothing. Programs
        inherit what the supervisor was started with.
        """
        wanted = json.dumps(
            {
                "command": program.command,
                "environment": program.environment,
                "directory": str(self.place.root),
            },
            indent=1,
        )
        path = self._definition(program.name)
        if path.exists() and path.read_text() == wanted:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(wanted)
        return True

    def states(self) -> dict[str, dict[str, Any]]:
        """What supervisor knows of each program: `statename`, `pid`, `start`, `description`."""
        return {info["name"]: info for info in self._call("getAllProcessInfo")}

    def state(self, name: str) -> str:
        """STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED or FATAL."""
        return str(self._call("getProcessInfo", name)["statename"])

    def start(self, name: str) -> None:
        """Start a program; harmless when it runs."""
        if self.state(name) not in {RUNNING, STARTING}:
            self._call("startProcess", name, False)

    def stop(self, names: Iterable[str]) -> None:
        """Stop programs together and return when all have ended."""
        running = {RUNNING, STARTING, "BACKOFF"}
        stopping = [name for name in names if self.state(name) in running]
        for name in stopping:
            self._call("stopProcess", name, False)
        active = {*running, "STOPPING"}
        if not until(
            lambda: all(self.state(name) not in active for name in stopping), seconds=STOP_SECONDS + 5
        ):
            raise LocalError(
                f"these did not stop: {', '.join(n for n in stopping if self.state(n) in active)}"
            )

    def shutdown(self) -> None:
        """End the supervisor itself, and whatever it still runs."""
        pid = int(self._call("getPID"))
        self._call("shutdown")
        if not until(
            lambda: not Path(f"/proc/{pid}").exists() and not self.alive(), seconds=STOP_SECONDS + 15
        ):
            raise LocalError(f"supervisor (process {pid}) did not end")

    def log(self, name: str) -> Path:
        """The log file of a program."""
        return self.place.logs / f"{name}.log"

    def tail(self, name: str, lines: int = 5) -> str:
        """The last lines of a program's log."""
        path = self.log(name)
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    @property
    def _configuration(self) -> Path:
        return self.place.state / "supervisord.conf"

    def _definition(self, name: str) -> Path:
        return self.place.state / "programs" / f"{name}.json"

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        with ServerProxy("http://127.0.0.1", transport=transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    def _write_configuration(self) -> None:
        self.place.logs.mkdir(parents=True, exist_ok=True)
        self._socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sections = [_daemon_section(self.place, self._socket)]
        sections += [_program_section(name, self._definition(name), self.log(name)) for name in NAMES]
        self._configuration.write_text("\n".join(sections))


def socket_path(place: Checkout) -> Path:
    """Where supervisor listens: in the state folder, or in a temporary one when that path is too long."""
    near = place.state / "supervisor.sock"
    if len(os.fsencode(near)) <= LONGEST_SOCKET_PATH:
        return near
    name = hashlib.sha256(os.fsencode(place.root)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"dwh-{os.getuid()}-{name}" / "supervisor.sock"


def _daemon_section(place: Checkout, socket: Path) -> str:
    user = "user = root\n" if os.getuid() == 0 else ""
    return (
        f"[unix_http_server]\nfile = {_literal(socket)}\nchmod = 0600\n\n"
        f"[supervisord]\nlogfile = {_literal(place.logs / 'supervisord.log')}\n"
        f"pidfile = {_literal(place.state / 'supervisord.pid')}\n"
        f"childlogdir = {_literal(place.logs)}\nstrip_ansi = true\n{user}\n"
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"
    )


def _program_section(name: str, definition: Path, log: Path) -> str:
    command = shlex.join([sys.executable, "-m", "dwh_local.launch", str(definition)])
    # Airflow's scheduler would wait for the task that waits for work.
    as_group, seconds = ("true", AIRFLOW_STOP_SECONDS) if name in AIRFLOW else ("false", STOP_SECONDS)
    return (
        f"[program:{name}]\ncommand = {_literal(command)}\n"
        "autostart = false\nautorestart = true\nstartsecs = 2\nstartretries = 10\n"
        f"stopwaitsecs = {seconds}\nstopasgroup = {as_group}\nkillasgroup = true\nredirect_stderr = true\n"
        f"stdout_logfile = {_literal(log)}\nstdout_logfile_maxbytes = 20MB\nstdout_logfile_backups = 1\n"
    )


def _literal(value: object) -> str:
    return str(value).replace("%", "%%")
