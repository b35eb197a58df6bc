"""The class archive makes a start faster; without one, or with a broken one, nothing else changes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from dwh_jobs import class_archive
from dwh_jobs.class_archive import CHECKOUT, archive_path, ensure, using


def test_without_an_archive_the_options_are_empty(tmp_path: Path) -> None:
    assert using(None) == using(tmp_path / "none.jsa") == ""


def test_it_lies_in_the_cache_of_the_checkout_and_nowhere_else(tmp_path: Path) -> None:
    path = archive_path()
    assert path
    assert path.parent == CHECKOUT / ".cache" / "spark"
    assert archive_path(tmp_path) is None


def test_another_java_has_another_archive(tmp_path: Path, monkeypatch: Any) -> None:
    before = archive_path()
    (tmp_path / "bin").mkdir()
    java = tmp_path / "bin" / "java"
    java.write_text("#!/bin/sh\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert archive_path() not in {None, before}


def test_a_broken_archive_does_not_keep_java_from_starting(tmp_path: Path) -> None:
    archive = tmp_path / "broken.jsa"
    archive.write_bytes(b"no archive" * 1000)
    options = using(archive).replace('"', "").split()
    started = subprocess.run(["java", "-Xshare:auto", *options, "-version"], capture_output=True, check=False)
    assert started.returncode == 0


def test_a_recording_that_fails_leaves_nothing_that_would_be_used(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "classes-1.jsa"

    def dies(command: list[str], **_given: Any) -> None:
        Path(command[-1]).write_bytes(b"half")
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(class_archive.subprocess, "run", dies)
    with pytest.raises(subprocess.CalledProcessError):
        ensure(path)
    assert not path.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["classes-1.lock"]


def test_it_is_made_once_and_replaces_those_of_other_versions(tmp_path: Path, monkeypatch: Any) -> None:
    path, old = tmp_path / "classes-2.jsa", tmp_path / "classes-1.jsa"
    old.write_bytes(b"old")
    calls: list[list[str]] = []

    def records(command: list[str], **_given: Any) -> None:
        calls.append(command)
        Path(command[-1]).write_bytes(b"new")

    monkeypatch.setattr(class_archive.subprocess, "run", records)
    assert (ensure(path), ensure(path), len(calls)) == (True, False, 1)
    assert path.read_bytes() == b"new"
    assert not old.exists()
