"""Terraform with a provider that plans without AWS, started once; plans of the environments."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import planning_provider
import pytest
from dwh_local.testing import environment, gateway  # noqa: F401 - fixtures
from planned_terraform import Plan

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("dev", "staging", "prod")
Terraform = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    """The value of TF_REATTACH_PROVIDERS for the running stand-in."""
    with planning_provider.serving() as value:
        yield value


@pytest.fixture(scope="session")
def terraform(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Run Terraform in a folder; what it keeps goes into a folder of the test run, nothing into the tree."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is missing (1.11 or newer)")
    kept = tmp_path_factory.mktemp("terraform")

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        own = {"TF_DATA_DIR": str(kept / str(folder).strip("/").replace("/", "-"))}
        env = planning_provider.variables(provider) | own
        command = ["terraform", *arguments]
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)

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
