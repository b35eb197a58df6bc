"""Terraform with a provider that plans without AWS, started once; plans of the environments."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dwh_local.children import Child
from dwh_local.testing import environment, gateway  # noqa: F401 - fixtures
from dwh_local.waiting import until
from planned_terraform import Plan

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venvs" / "terraform" / "bin" / "python"
ENVIRONMENTS = ("dev", "staging", "prod")
START_SECONDS = 30
Terraform = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    """The value of TF_REATTACH_PROVIDERS for the running stand-in."""
    if not PYTHON.exists():
        pytest.fail(f"{PYTHON.relative_to(ROOT)} is missing: run `make setup`")
    with tempfile.TemporaryDirectory(prefix="dwh-tf-") as folder:
        log = Path(folder) / "log"
        command = [str(PYTHON), str(ROOT / "tests/terraform/provider/serve.py"), f"{folder}/socket"]
        child = Child(command, log=log)
        try:
            ready = until(lambda: not child.alive() or "\n" in log.read_text(), seconds=START_SECONDS)
            assert ready and child.alive(), f"the provider did not start: {child.tail()}"  # noqa: PT018
            yield log.read_text().partition("\n")[0]
        finally:
            child.stop()


@pytest.fixture(scope="session")
def terraform(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Run Terraform in a folder; what it keeps goes into a folder of the test run, nothing into the tree."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is missing (1.11 or newer)")
    kept = tmp_path_factory.mktemp("terraform")

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        own = {
            "TF_REATTACH_PROVIDERS": provider,
            "TF_CLI_CONFIG_FILE": os.devnull,
            "TF_DATA_DIR": str(kept / str(folder).strip("/").replace("/", "-")),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
        command = ["terraform", *arguments]
        return subprocess.run(
            command, cwd=folder, env=clean | own, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture(scope="session")
def planned(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Plan]:
    """Plan an environment as it is, or with the variables of a file on top; each plan is made once."""
    tree = tmp_path_factory.mktemp("tree")
    for part in ("terraform", "deploy", "jobs"):
        shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns(".terraform"))
    made: dict[tuple[str, Path | None], Plan] = {}

    def plan(name: str, variables: Path | None = None) -> Plan:
        if (name, variables) not in made:
            folder = tree / "terraform" / "environments" / name
            (folder / "backend.tf").unlink(missing_ok=True)  # the state of a plan that is thrown away
            chosen = [f"-var-file={variables}"] if variables else []
            for arguments in (["get"], ["plan", "-input=false", "-out=made.plan", *chosen]):
                answer = terraform(folder, *arguments)
                assert answer.returncode == 0, answer.stdout + answer.stderr
            shown = terraform(folder, "show", "-json", "made.plan")
            made[name, variables] = Plan(json.loads(shown.stdout))
        return made[name, variables]

    return plan


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def plan(request: pytest.FixtureRequest, planned: Callable[..., Plan]) -> tuple[str, Plan]:
    """Each environment as it is: its name and its plan."""
    return request.param, planned(request.param)


@pytest.fixture(scope="session")
def ecs_plan(planned: Callable[..., Plan]) -> Plan:
    """Prod with its services on ECS, behind the load balancer."""
    return planned("prod", Path(__file__).parent / "ecs.tfvars")
