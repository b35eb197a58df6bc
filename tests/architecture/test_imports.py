"""The import rules catch what they are meant to catch."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLANTED = {
    "a service that imports its neighbour": (
        "services/indexer/src/dwh_indexer/decide.py",
        "import dwh_alerts",
    ),
    "a rule that talks to the store": ("services/alerts/src/dwh_alerts/decide.py", "import dwh_eventstore"),
    "contracts that import AWS": ("libs/contracts/src/dwh_contracts/ids.py", "import boto3"),
    "a replay that could call targets": (
        "libs/eventstore/src/dwh_eventstore/replay/rebuild.py",
        "from dwh_eventstore import claims",
    ),
    "a broker that knows the product": (
        "libs/faststream-sqs/src/faststream_sqs/health.py",
        "import dwh_contracts",
    ),
}
SOURCES = ["libs", "services", "cli", "local", "jobs"]


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    paths = [str(path) for source in SOURCES for path in sorted((root / source).glob("**/src"))]
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("tree")
    for source in SOURCES:
        shutil.copytree(root / source, target / source, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    shutil.copy(root / ".importlinter", target)
    return target


def test_the_tree_keeps_its_import_rules(copy: Path) -> None:
    answer = lint(copy)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(("file", "line"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_violation_is_caught(copy: Path, file: str, line: str) -> None:
    path = copy / file
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\n{line}\n", encoding="utf-8")
    try:
        answer = lint(copy)
    finally:
        path.write_text(before, encoding="utf-8")
    assert answer.returncode == 1, answer.stdout
    assert "BROKEN" in answer.stdout
