"""The pointers that readers follow: one per window, and `latest.json` for the newest window.

Moved by compare-and-set, so two runs at once both end up published in order and none is half published.
A pointer never goes backwards: among equal windows the higher attempt, then the later time wins.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from dwh_contracts.canonical import JsonObject, canonical_json
from dwh_contracts.times import format_time
from pydantic import JsonValue

from dwh_jobs.artifacts import ArtifactStore, StoredObject
from dwh_jobs.context import ExecutionContext
from dwh_jobs.errors import PointerConflictError
from dwh_jobs.manifest import ManifestRef
from dwh_jobs.uris import join
from dwh_jobs.window import Window, compact

TRIES = 20


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer file says."""

    context: ExecutionContext
    window: Window
    manifest: ManifestRef
    published_at: datetime

    def as_json(self) -> JsonObject:
        """The content of the file."""
        return {
            "schema_version": "1.0",
            "job_name": self.context.job_name,
            "job_run_id": self.context.job_run_id,
            "attempt": self.context.attempt,
            "timestamp": format_time(self.published_at),
            "window": {"start": format_time(self.window.start), "end": format_time(self.window.end)},
            "manifest": self.manifest.as_json(),
        }


def window_pointer(dataset: str, window: Window) -> str:
    """The address of a window's pointer."""
    return join(dataset, "windows", f"{compact(window.start)}_{compact(window.end)}.json")


def latest_pointer(dataset: str) -> str:
    """The address of the pointer to the newest window."""
    return join(dataset, "latest.json")


def publish(store: ArtifactStore, dataset: str, pointer: Pointer) -> bool:
    """Point the window to this manifest, then `latest.json` if no newer window is there.

    False when the window already names a later attempt or time. Safe to repeat.
    """
    moved = _move(store, window_pointer(dataset, pointer.window), pointer)
    if moved:
        _move(store, latest_pointer(dataset), pointer)
    return moved


def follow_latest(store: ArtifactStore, dataset: str, window_uri: str) -> None:
    """Make `latest.json` say what the window's pointer says, unless it names a newer window.

    For jobs that move the window's pointer on their own terms: attempts of different runs do not compare.
    """
    uri = latest_pointer(dataset)
    for _ in range(TRIES):
        wanted, found = store.read(window_uri), store.read(uri)
        if wanted is None or (found and _ends(json.loads(found.body)) > _ends(json.loads(wanted.body))):
            return
        if found and found.body == wanted.body:
            return
        store.replace(uri, wanted.body, found.version if found else None)
    raise PointerConflictError(f"{uri} changed under each of {TRIES} attempts to move it")


def pointer_body(pointer: Pointer) -> bytes:
    """The bytes of the pointer file."""
    return canonical_json(pointer.as_json())


def manifest_named_by(stored: StoredObject) -> str:
    """The address of the manifest that a pointer file names."""
    return str(json.loads(stored.body)["manifest"]["uri"])


def _move(store: ArtifactStore, uri: str, pointer: Pointer) -> bool:
    wanted = pointer.as_json()
    for _ in range(TRIES):
        stored = store.read(uri)
        if stored is not None:
            found = json.loads(stored.body)
            if found["manifest"] == wanted["manifest"]:
                return True
            if _rank(found) > _rank(wanted):
                return False
        if store.replace(uri, canonical_json(wanted), stored.version if stored else None):
            return True
    raise PointerConflictError(f"{uri} changed under each of {TRIES} attempts to move it")


def _rank(pointer: dict[str, JsonValue]) -> tuple[tuple[str, str], int, str]:
    """Newer window, then higher attempt, then later time."""
    return _ends(pointer), int(str(pointer["attempt"])), str(pointer["timestamp"])


def _ends(pointer: dict[str, JsonValue]) -> tuple[str, str]:
    """End and start of the window; times in one form compare as text."""
    window = pointer["window"]
    return (str(window["end"]), str(window["start"])) if isinstance(window, dict) else ("", "")
