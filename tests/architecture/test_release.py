"""One version stands everywhere, and an archive does not depend on when it was made."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest


def release(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "scripts" / "release.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """What `release.py` reads, to change one thing of."""
    for file in [
        *root.glob("scripts/*.py"),
        *root.glob("*/pyproject.toml"),
        *root.glob("*/*/pyproject.toml"),
    ]:
        target = tmp_path / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return tmp_path


def test_every_place_states_the_same_version(root):
    answer = release(root, "--check")
    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_package_out_of_step_is_named_and_nothing_is_made(copy):
    project = copy / "services" / "alerts" / "pyproject.toml"
    project.write_text(project.read_text().replace('version = "', 'version = "9.', 1))
    answer = release(copy)
    assert answer.returncode == 2
    assert "services/alerts/pyproject.toml" in answer.stderr
    assert not (copy / "dist").exists()


@pytest.mark.parametrize("key", ["version", "appVersion"])
def test_a_chart_out_of_step_is_named(copy, key):
    stated = {"version": "0.1.0", "appVersion": "0.1.0"} | {key: "7.7.7"}
    chart = copy / "helm" / "dwh" / "Chart.yaml"
    chart.parent.mkdir(parents=True)
    chart.write_text("".join(f"{name}: {value}\n" for name, value in stated.items()))
    answer = release(copy, "--check")
    assert answer.returncode == 2
    assert f"7.7.7        helm/dwh/Chart.yaml {key}" in answer.stderr


def test_a_dry_run_makes_nothing(copy):
    answer = release(copy, "--dry-run")
    assert answer.returncode == 0
    assert "11 wheels" in answer.stdout
    assert not (copy / "dist").exists()


def test_an_archive_made_twice_is_the_same_and_holds_what_a_job_imports(root, tmp_path):
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import release\n"
        "release.job_bundle(Path(sys.argv[2]), '1'); release.dags_bundle(Path(sys.argv[2]), '1')"
    )
    digests = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        subprocess.run(
            [sys.executable, "-c", program, str(root / "scripts"), str(tmp_path / name)],
            check=True,
            timeout=60,
        )
        files = sorted((tmp_path / name).iterdir())
        digests.append({file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files})
    assert digests[0] == digests[1]
    assert sorted(digests[0]) == ["dwh_dags-1.zip", "dwh_jobs-1.zip", "generic_entry.py"]
    jobs = zipfile.ZipFile(tmp_path / "first" / "dwh_jobs-1.zip").namelist()
    assert {"dwh_jobs/generic_entry.py", "dwh_contracts/ids.py"} <= set(jobs)
    assert "event_dispatcher.py" in zipfile.ZipFile(tmp_path / "first" / "dwh_dags-1.zip").namelist()


def created(root, **variables):
    program = "import sys; sys.path.insert(0, sys.argv[1]); import image; print(image.created())"
    answer = subprocess.run(
        [sys.executable, "-c", program, str(root / "scripts")],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.strip()


def test_an_image_is_dated_by_its_commit_or_by_whoever_builds_it_and_not_by_the_clock(root):
    assert created(root, SOURCE_DATE_EPOCH="86400") == "1970-01-02T00:00:00Z"
    seconds = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    assert created(root) == datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_image_locks_everything_its_packages_need(root):
    ours = ["libs/contracts", "libs/faststream-sqs", "libs/eventstore", "libs/runtime"]
    ours += [f"services/{name}" for name in ("indexer", "alerts", "orchestrator", "approvals")] + ["cli"]
    projects = [tomllib.loads((root / path / "pyproject.toml").read_text())["project"] for path in ours]
    names = {project["name"] for project in projects}
    needed = {text for project in projects for text in project["dependencies"]}
    wanted = {re.split(r"[^A-Za-z0-9-]", text)[0] for text in needed} - names
    listed = (root / "requirements" / "image.in").read_text()
    assert {name for name in wanted if f"\n{name}" not in listed} == set()
