"""A missing or old Java is named with the way to install one."""

import pytest
from dwh_local.errors import Missing
from dwh_local.jars import committed_sums, line_for
from dwh_local.java import Java, find_java


def fake_java(folder, version_line: str) -> None:
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{version_line}' >&2\n")
    program.chmod(0o755)


def test_no_java_says_what_to_install(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match=r"Java 17 or newer is missing: install one \(Debian: apt-get install"):
        find_java()


@pytest.mark.parametrize(
    ("line", "shown"),
    [('openjdk version "11.0.2"', "11"), ('java version "1.8.0_392"', "1"), ("?", "unknown")],
)
def test_an_old_java_is_named(monkeypatch, tmp_path, line: str, shown: str) -> None:
    fake_java(tmp_path, line)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(Missing, match=f"is .*{shown}"):
        find_java()


@pytest.mark.parametrize(("version", "line"), [(17, "2.19"), (20, "2.19"), (21, "3.8"), (25, "3.8")])
def test_the_line_of_opensearch_fits_the_java_found(version: int, line: str) -> None:
    assert line_for(Java("java", version, "")) == line
    assert all(len(digest) == 64 for digest in committed_sums(line).values())
