"""The tables of tests/README.md are true: every test they name is there, every exemption is listed."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
README = (TESTS / "README.md").read_text()
SOURCES = "\n".join(
    path.read_text()
    for folder in (TESTS, TESTS.parent / "src" / "faststream_sqs" / "testing")
    for path in folder.rglob("*.py")
)


def test_every_named_test_is_there():
    named = set(re.findall(r"`(test_\w+)`", README))
    missing = {name for name in named if f"def {name}(" not in SOURCES}
    assert (missing, len(named) > 30) == (set(), True)


def test_every_exemption_is_in_the_table():
    exempt = re.findall(r'"(test_\w+)": "(.+)",', SOURCES)
    assert exempt
    for name, reason in exempt:
        assert f"| `{name}` | {reason} |" in README


def test_every_point_has_its_row():
    assert re.findall(r"^\| (\d+) \|", README, re.MULTILINE) == [str(n) for n in range(1, 23)]
