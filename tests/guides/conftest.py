"""A copy of the tree in which guides are executed, and the chart as it is rendered there."""

import os
import shutil
import subprocess
import sys

import planning_provider
import pytest
from pages import GUIDES, ROOT, blocks
from tools import Checker, objects, outputs_of

CHART_PYTHON = ROOT / ".venvs" / "chart" / "bin" / "python"
MARK = "guide block: "


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def tools(tmp_path_factory):
    """A search path that begins with the stand-in for Helm, which drives its SDK: one version for all."""
    folder = tmp_path_factory.mktemp("bin")
    assert CHART_PYTHON.exists(), "the environment of the chart is missing: run `make test-guides`"
    made = folder / "helm"
    made.write_text(f'#!/bin/sh\nexec "{CHART_PYTHON}" "{ROOT / "tests/guides/bin/helm"}" "$@"\n')
    made.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.fixture(scope="session")
def copy(tmp_path_factory):
    """Make a copy of what git has, with the workspace's environment beside it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [file for file in listed.stdout.split("\0") if file and (ROOT / file).is_file()]

    def make(environment):
        tree = tmp_path_factory.mktemp("tree")
        for folder in {(tree / file).parent for file in files}:
            folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(ROOT / file, tree / file)
        (tree / ".venv").symlink_to(ROOT / ".venv")
        # What a guide makes in an account, by `terraform output -json`.
        made = subprocess.run(
            [
                sys.executable,
                "scripts/helm_values.py",
                "--image",
                f"registry.example.com/dwh@sha256:{'0' * 64}",
            ],
            cwd=tree,
            input=outputs_of(tree, environment),
            capture_output=True,
            text=True,
            check=True,
        )
        (tree / "values-terraform.yaml").write_text(made.stdout)
        return tree

    return make


@pytest.fixture(scope="session")
def executed(copy, tools):
    """Every `run` block of each guide, executed in order in one shell; the tree and what was said."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is missing (1.11 or newer)")
    made = {}
    with planning_provider.serving() as provider:

        def run(page):
            if page not in made:
                made[page] = _execute(page, copy, planning_provider.variables(provider) | {"PATH": tools})
            return made[page]

        yield run


def _execute(page, copy, env):
    run = blocks(page, "bash run")
    text = "".join(f"echo '{MARK}{block}'\n{block.text}" for block in run)
    environment = next(
        name for name in ("dev", "staging", "prod") if f"ENV={name}" in "".join(block.text for block in run)
    )
    tree = copy(environment)
    _own_values(tree)
    command = ["bash", "-euo", "pipefail", "-c", text]
    answer = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, check=False)
    return tree, answer


def _own_values(tree):
    """The file that the guide of the installation makes; the others begin with it."""
    install = "".join(block.text for block in blocks(tree / "docs" / "guide" / "install-aws.md", "bash run"))
    begin = install.index("cat > values-own.yaml")
    end = install.index("\nEND\n", begin) + len("\nEND\n")
    subprocess.run(["bash", "-c", install[begin:end]], cwd=tree, check=True)


@pytest.fixture(scope="session")
def checker(copy, tools):
    """What looks at commands that need an account or a cluster."""
    tree = copy("prod")
    _own_values(tree)
    os.environ["PATH"] = tools
    unchecked = Checker(tree, [])
    files = ["helm/dwh/values-prod.yaml", "values-terraform.yaml", "values-own.yaml"]
    return Checker(tree, objects(unchecked.render(files, [])))


assert GUIDES, "there are no guides"
