"""The shipped rules and what this machine has to check them with."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
FILES = ROOT / "helm" / "dwh" / "files" / "rules"


@dataclass(frozen=True)
class Rules:
    """The file as Prometheus and the chart read it."""

    path: Path
    tests: Path
    all: list[dict]

    @property
    def expressions(self) -> str:
        return "\n".join(rule["expr"] for rule in self.all)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def rules() -> Rules:
    path = FILES / "dwh.yaml"
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    return Rules(path, FILES / "dwh.test.yaml", [rule for group in groups for rule in group["rules"]])


@pytest.fixture(scope="session")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is missing (Debian: apt-get install prometheus)")
    return found
