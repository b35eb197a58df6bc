"""One suite for every artifact store: on this machine's files and on the AWS stand-in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from dwh_jobs.artifacts import ArtifactStore, FileArtifactStore, S3ArtifactStore
from dwh_jobs.manifest import ManifestRef
from dwh_jobs.pointer import Pointer, publish, window_pointer
from dwh_jobs.uris import folder_name
from lab import START, WINDOW, a_context
from stand_in import StandIn


class ArtifactStoreSuite:
    """What every store promises."""

    @pytest.fixture
    def place(self, request: Any) -> tuple[ArtifactStore, str]:
        raise NotImplementedError

    def test_an_object_reads_back_and_a_missing_one_is_none(self, place: tuple[ArtifactStore, str]) -> None:
        store, base = place
        store.write(f"{base}/a/one.json", b"1")
        found = store.read(f"{base}/a/one.json")
        assert found
        assert found.body == b"1"
        assert store.read(f"{base}/a/none.json") is None
        store.delete(f"{base}/a/one.json")
        store.delete(f"{base}/a/one.json")
        assert store.read(f"{base}/a/one.json") is None

    def test_a_stale_version_never_replaces(self, place: tuple[ArtifactStore, str]) -> None:
        store, uri = place[0], f"{place[1]}/p.json"
        assert store.replace(uri, b"1", None)
        assert not store.replace(uri, b"2", None)
        first = store.read(uri)
        assert first
        assert store.replace(uri, b"2", first.version)
        assert not store.replace(uri, b"3", first.version)

    def test_of_many_at_once_exactly_one_wins(self, place: tuple[ArtifactStore, str]) -> None:
        store, uri = place[0], f"{place[1]}/race.json"
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda number: store.replace(uri, str(number).encode(), None), range(8)))
        assert won.count(True) == 1

    def test_a_listing_holds_data_and_no_hidden_file(self, place: tuple[ArtifactStore, str]) -> None:
        store, base = place
        for name in ("d/b.txt", "d/x/a.txt", "d/_manifest.json", "d/.b.crc", "dd/c.txt"):
            store.write(f"{base}/{name}", b"abc")
        found = store.files(f"{base}/d")
        assert [(file.uri, file.bytes) for file in found] == [
            (f"{base}/d/b.txt", 3),
            (f"{base}/d/x/a.txt", 3),
        ]
        assert store.holds(f"{base}/d")
        assert not store.holds(f"{base}/e")

    def test_a_pointer_never_goes_backwards(self, place: tuple[ArtifactStore, str]) -> None:
        store, base = place

        def pointer(attempt: int) -> Pointer:
            ref = ManifestRef(f"{base}/m{attempt}", 1, str(attempt) * 64)
            return Pointer(a_context(attempt=attempt), WINDOW, ref, START)

        assert publish(store, base, pointer(2))
        assert publish(store, base, pointer(2))
        assert not publish(store, base, pointer(1))
        stored = store.read(window_pointer(base, WINDOW))
        assert stored
        assert b'"attempt":2' in stored.body


class TestFileArtifactStore(ArtifactStoreSuite):
    @pytest.fixture
    def place(self, tmp_path: Path) -> tuple[ArtifactStore, str]:
        return FileArtifactStore(), tmp_path.as_uri()


@pytest.fixture(scope="session")
def s3(aws: StandIn) -> Any:
    client = aws.client("s3")
    client.create_bucket(Bucket="dwh-local-data")
    return client


class TestS3ArtifactStore(ArtifactStoreSuite):
    @pytest.fixture
    def place(self, s3: Any, request: Any) -> tuple[ArtifactStore, str]:
        return S3ArtifactStore(s3), f"s3://dwh-local-data/{request.node.name}"


def test_a_run_id_of_airflow_becomes_one_folder_without_special_characters() -> None:
    assert folder_name("trig__transform_images__e042") == "trig__transform_images__e042"
    assert folder_name("manual__2026-11-23T07:00:00+00:00") != folder_name(
        "manual__2026-11-23T07_00_00_00_00"
    )
    assert not set(folder_name("a:b*c?{}[]+")) & set(":*?{}[]+")
