"""The table of races in tests/README.md names tests that are there."""

import re


def test_every_race_has_a_test_of_the_name_that_the_table_gives(root, tracked):
    rows = [line for line in (root / "tests/README.md").read_text().splitlines() if line.startswith("| ")]
    races = {row.split("|")[1].strip(): re.findall(r"`(test_\w+)`", row) for row in rows}
    named = {name for names in races.values() for name in names}
    code = "\n".join(path.read_text() for path in tracked if path.suffix == ".py")
    there = set(re.findall(r"def (test_\w+)", code))
    assert len([race for race, names in races.items() if names]) >= 24
    assert named - there == set()
