import os
import tempfile
from pathlib import Path

# Airflow reads these when it is imported, and would otherwise write into the home folder.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-unit-"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

import pytest
from airflow_system import running_system


@pytest.fixture(scope="session")
def system(tmp_path_factory):
    """A real Airflow, started once for all tests that ask for it."""
    folder: Path = tmp_path_factory.mktemp("airflow")
    with running_system(folder) as running:
        yield running
