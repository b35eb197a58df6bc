"""Where everything of one checkout lies: sources, environments, state and downloads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dwh_local.errors import Missing

STATE_FOLDER = ".dwh"


@dataclass(frozen=True, slots=True)
class Checkout:
    """One working copy. `state` is removed by `down --purge`, `cache` holds downloads and stays."""

    root: Path
    state_folder: str = STATE_FOLDER

    @property
    def state(self) -> Path:
        """All state of the local system."""
        return self.root / self.state_folder

    @property
    def cache(self) -> Path:
        """What was downloaded or made once per checkout."""
        return self.root / ".cache"

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.state / "logs"

    @property
    def data(self) -> Path:
        """What Spark jobs read and write."""
        return self.state / "data"

    @property
    def airflow_home(self) -> Path:
        """Airflow's database, configuration and task logs."""
        return self.state / "airflow"

    @property
    def dags(self) -> Path:
        """The DAG files, as committed."""
        return self.root / "dags"

    @property
    def consumers(self) -> Path:
        """The one list of topics, queues and consumers."""
        return self.root / "deploy" / "consumers.json"

    def bin(self, environment: str) -> Path:
        """Programs of a virtual environment: `workspace`, `jobs`, `aws` or `airflow-3.3`."""
        path = self.root / (".venv" if environment == "workspace" else f".venvs/{environment}") / "bin"
        if not (path / "python").exists():
            raise Missing(f"the virtual environment {path.parent} is missing: run `make setup`")
        return path


def checkout() -> Checkout:
    """The checkout that this package is installed from.

    DWH_LOCAL_STATE names another folder for its state (default `.dwh`), so that tests leave a person's system
    alone; they take another DWH_LOCAL_SLOT, too.
    """
    return Checkout(Path(__file__).resolve().parents[3], os.environ.get("DWH_LOCAL_STATE") or STATE_FOLDER)
