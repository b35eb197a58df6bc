"""What a reader may rely on in the tree: equal services, small files, no address of anybody's machine."""

import re
from pathlib import Path

import pytest

SERVICES = ["indexer", "alerts", "orchestrator", "approvals"]
ANATOMY = {
    "__main__.py",
    "app.py",
    "settings.py",
    "consume.py",
    "decide.py",
    "effects.py",
    "metrics.py",
    "README.md",
}
MODULE_LINES = 500
CODE = {".py", ".sh", ".html", ".css"}
# Character classes keep this file from finding itself.
REGISTRY_HOSTS = re.compile(
    r"py[p]i\.org|files\.python[h]osted|registry\.n[p]mjs|repo1?\.m[a]ven|proxy\.g[o]lang"
)
ABSOLUTE_PATHS = re.compile(r"/[w]ork/|/[r]oot/|/[h]ome/[a-z]|/[o]pt/wheels")


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_anatomy(root: Path, service: str) -> None:
    package = root / "services" / service
    found = {path.name for path in (package / "src" / f"dwh_{service}").iterdir()} | {
        path.name for path in package.iterdir()
    }
    assert found >= ANATOMY


def test_no_code_file_is_longer_than_500_lines(tracked: list[Path], root: Path) -> None:
    long = {
        str(path.relative_to(root)): lines
        for path in tracked
        if path.suffix in CODE and (lines := path.read_text(encoding="utf-8").count("\n")) > MODULE_LINES
    }
    assert long == {}


@pytest.mark.parametrize("pattern", [REGISTRY_HOSTS, ABSOLUTE_PATHS], ids=["registry host", "absolute path"])
def test_no_tracked_file_names_a_registry_host_or_a_path_of_one_machine(
    tracked: list[Path], root: Path, pattern: re.Pattern[str]
) -> None:
    found = []
    for path in tracked:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(root)}: {match.group()}" for match in pattern.finditer(text)]
    assert found == []


def test_every_locked_requirement_has_a_hash(root: Path) -> None:
    for lock in (root / "requirements").glob("*.txt"):
        blocks = re.split(r"\n(?=[a-zA-Z0-9])", lock.read_text(encoding="utf-8"))
        unhashed = [block.split()[0] for block in blocks if "==" in block and "--hash=sha256:" not in block]
        assert unhashed == [], lock.name
