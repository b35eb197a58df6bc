"""Terraform beside a provider that plans without AWS: no account, no download, nothing left in the tree."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dwh_local.children import Child
from dwh_local.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venvs" / "terraform" / "bin" / "python"
START_SECONDS = 30


@contextmanager
def serving() -> Iterator[str]:
    """The value of TF_REATTACH_PROVIDERS for the running stand-in."""
    assert PYTHON.exists(), f"{PYTHON.relative_to(ROOT)} is missing: run `make setup`"
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


def variables(provider: str) -> dict[str, str]:
    """The environment of a Terraform that uses the stand-in and nothing of this machine's user."""
    own = {
        "TF_REATTACH_PROVIDERS": provider,
        "TF_CLI_CONFIG_FILE": os.devnull,
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
    return clean | own
