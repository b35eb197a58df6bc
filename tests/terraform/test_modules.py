"""Every module, layer and environment is formatted, valid, complete, and passes its own tests."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "terraform"
MODULES = sorted((ROOT / "modules").iterdir())
LAYERS = sorted((ROOT / "layers").iterdir())
ENVIRONMENTS = sorted((ROOT / "environments").iterdir())
MODULE_NAMES = {
    *("network", "messaging", "event_store", "journal", "artifacts", "consumer_identity"),
    *("ecs_consumer", "mwaa", "glue", "console", "alarms", "keys"),
}


def name(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def test_everything_is_formatted(terraform):
    answer = terraform(ROOT, "fmt", "-check", "-recursive")
    assert answer.returncode == 0, answer.stdout


def test_the_modules_are_those_of_the_design():
    assert {module.name for module in MODULES} == MODULE_NAMES


@pytest.mark.parametrize("folder", [*MODULES, *LAYERS, *ENVIRONMENTS], ids=name)
def test_it_is_valid(terraform, folder):
    assert terraform(folder, "get").returncode == 0
    answer = terraform(folder, "validate")
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("folder", [*MODULES, *ENVIRONMENTS], ids=name)
def test_its_own_tests_pass(terraform, folder):
    assert terraform(folder, "get").returncode == 0
    answer = terraform(folder, "test", "-no-color")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    passed = re.search(r"Success! (\d+) passed, 0 failed", answer.stdout)
    assert passed is not None
    assert int(passed[1]) >= 2


@pytest.mark.parametrize("folder", MODULES, ids=name)
def test_a_module_has_all_its_files(folder):
    files = {path.name for path in folder.iterdir()}
    assert {"main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"} <= files
    assert list((folder / "tests").glob("*.tftest.hcl"))


@pytest.mark.parametrize("folder", ENVIRONMENTS, ids=name)
def test_environments_differ_in_sizes_only(folder):
    for shared in ("variables.tf", "outputs.tf", "versions.tf"):
        assert (folder / shared).read_text() == (ENVIRONMENTS[0] / shared).read_text(), shared
    calls = [
        (one / "main.tf").read_text().partition('provider "aws"')[2] for one in (folder, ENVIRONMENTS[0])
    ]
    assert calls[0] == calls[1]


@pytest.mark.parametrize("folder", ENVIRONMENTS, ids=name)
def test_state_lies_in_s3_under_a_lock_file_and_apart_from_other_environments(folder):
    backend = (folder / "backend.tf").read_text()
    assert 'backend "s3"' in backend
    assert re.search(r"use_lockfile\s+= true", backend)
    assert re.search(r"encrypt\s+= true", backend)
    assert re.search(rf'bucket\s+= "dwh-{folder.name}-terraform-state"', backend)


def test_every_variable_is_typed_and_described():
    for path in ROOT.rglob("variables.tf"):
        for block in path.read_text().split("\nvariable ")[1:]:
            assert re.search(r"^  type\s+=", block, re.MULTILINE), f"{path}: {block[:30]}"
            assert re.search(r'^  description\s+= "[A-Z].*\."$', block, re.MULTILINE), f"{path}: {block[:30]}"
