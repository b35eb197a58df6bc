"""Which port each part listens on, and who holds one that is busy."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from dwh_local.errors import PortBusy, WrongValue

HIGHEST_SLOT = 97
SLOT_STEP = 10


@dataclass(frozen=True, slots=True)
class Ports:
    """One port per part; all of them are bound to 127.0.0.1."""

    opensearch: int = 9201
    approvals: int = 8080
    airflow: int = 8081
    indexer: int = 8082
    alerts: int = 8083
    orchestrator: int = 8084
    aws: int = 8085

    @classmethod
    def for_slot(cls, slot: int) -> Ports:
        """Ports of the slot-th checkout on one machine."""
        if not 0 <= slot <= HIGHEST_SLOT:
            raise WrongValue(f"DWH_LOCAL_SLOT must lie between 0 and {HIGHEST_SLOT}, not {slot}")
        base = cls()
        others = {
            name: port + SLOT_STEP * slot for name, port in asdict(base).items() if name != "opensearch"
        }
        return cls(opensearch=base.opensearch + slot, **others)

    def with_overrides(self, overrides: Mapping[str, int]) -> Ports:
        """The same with some ports replaced. Raises WrongValue for a part that has none."""
        known = {field.name for field in fields(self)}
        if unknown := sorted(set(overrides) - known):
            raise WrongValue(f"no part is called {unknown[0]!r}: ports have {', '.join(sorted(known))}")
        return replace(self, **overrides)

    def items(self) -> list[tuple[str, int]]:
        """Part and port, in the order of the fields."""
        return list(asdict(self).items())


def slot_from_environment(environ: Mapping[str, str] = os.environ) -> int:
    """Value of DWH_LOCAL_SLOT, 0 when unset."""
    text = environ.get("DWH_LOCAL_SLOT") or "0"
    if not text.isascii() or not text.isdigit():
        raise WrongValue(f"DWH_LOCAL_SLOT must be a number from 0 to {HIGHEST_SLOT}, not {text!r}")
    return int(text)


def is_busy(port: int) -> bool:
    """Whether something holds the port on the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def require_free(parts: Mapping[str, int]) -> None:
    """Raise PortBusy, naming part, port and the process that holds it, for the first port that is taken."""
    for part, port in parts.items():
        if is_busy(port):
            raise PortBusy(
                f"port {port} ({part}) is held by {owner_of(port)}: stop it, choose another DWH_LOCAL_SLOT, "
                f"or run `dwh local up --port {part}=NUMBER`"
            )


def owner_of(port: int, proc: Path = Path("/proc")) -> str:
    """Process id and command of whoever listens on a port, as far as this user may see it (Linux)."""
    inodes = _listening_inodes(port, proc)
    for process in proc.glob("[0-9]*"):
        if _holds(process, inodes):
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            return f"process {process.name} ({' '.join(words).strip()[:120]})"
    return "a process that this user may not see"


def _listening_inodes(port: int, proc: Path) -> set[str]:
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            rows = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            local, state, inode = columns[1], columns[3], columns[9]
            if int(local.rpartition(":")[2], 16) == port and state == "0A":
                inodes.add(inode)
    return inodes


def _holds(process: Path, inodes: set[str]) -> bool:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    try:
        return any(str(handle.readlink()) in wanted for handle in (process / "fd").iterdir())
    except OSError:
        return False
