"""The set of the day as it is published now, and the input that is merged into it."""

from __future__ import annotations

from dataclasses import dataclass

from dwh_jobs.artifacts import ArtifactStore, open_store
from dwh_jobs.errors import InputMismatchError, SourceUnavailableError
from dwh_jobs.manifest import DROPPED, FILE_NAME, ReadManifest, read_manifest, verify_files
from dwh_jobs.pointer import manifest_named_by, window_pointer
from dwh_jobs.uris import as_uri, join
from dwh_jobs.window import Window


@dataclass(frozen=True, slots=True)
class Base:
    """What the day's pointer named when it was read; `version` is None when there was none."""

    manifest: ReadManifest | None
    version: str | None


def read_base(store: ArtifactStore, dataset: str, day: Window) -> Base:
    """Follow the day's pointer."""
    stored = store.read(window_pointer(dataset, day))
    if stored is None:
        return Base(None, None)
    return Base(read_manifest(store, manifest_named_by(stored)), stored.version)


def read_input(output_path: str | None, dataset: str, window: Window) -> ReadManifest:
    """The manifest of the run that triggered this one, else of the published run of the window; verified.

    InputMismatchError when its files are not the audited ones or its window lies outside the requested one.
    """
    store = open_store(output_path or dataset)
    if output_path is None:
        stored = store.read(window_pointer(dataset, window))
        if stored is None:
            raise SourceUnavailableError(f"no run of the window is published below {dataset}")
        manifest = read_manifest(store, manifest_named_by(stored))
    else:
        manifest = read_manifest(store, join(as_uri(output_path), FILE_NAME))
    if not window.contains(manifest.window):
        raise InputMismatchError(f"{manifest.ref.uri} covers another window than the requested one")
    verify_files(store, manifest)
    return manifest


def data_files(manifest: ReadManifest) -> list[str]:
    """The addresses of all files with rows that went on."""
    return [
        file.uri for category in manifest.categories if category.name != DROPPED for file in category.files
    ]


def data_records(manifest: ReadManifest) -> int:
    """How many rows those files hold."""
    return sum(category.records for category in manifest.categories if category.name != DROPPED)
