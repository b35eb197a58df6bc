"""`python -m dwh_local.compare A B`: do two demos agree, times apart?

Compared are the ids of all stored events, the documents of the read models, the final filtered set, DAG runs,
alerts and approvals.
Left out: times and durations, what is derived from them (hashes and sizes of manifests, message ids), and the
ids of `dag_run_finished`, which hold the time of the end; their number counts. When one of the demos was
shuffled, also what follows the order of arrival: counts of single downstream runs, notifications and incident
history; how incidents ended counts.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TIMED = re.compile(
    r"(^|_)(at|time|timestamp|seconds|sha256|bytes|etag|per_second|until)$"
    r"|^(fold|links|message_id|deliveries|resources|recorder)$"
)
COUNTED_ONLY = {"dag_run_finished", "queue_depth", "repair_made"}
MERGED = {"metrics", "quality", "artifacts", "artifacts_base_path", "artifacts_manifest"}
HISTORY = {"incident_transition", "notification_sent", "notification_skipped", "notification_failed"}


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What differs, one line per path."""
    shuffled = any(summary["faults"]["seed"] is not None for summary in (one, other))
    return list(_differences("", comparable(one, shuffled=shuffled), comparable(other, shuffled=shuffled)))


def comparable(summary: dict[str, Any], *, shuffled: bool) -> dict[str, Any]:
    """The part of a summary that must be equal in every demo."""
    events = {
        event_type: len(ids) if event_type in COUNTED_ONLY else ids
        for family in summary["events"].values()
        for event_type, ids in family.items()
        if not (shuffled and event_type in HISTORY)
    }
    models = {name: _without_times(documents) for name, documents in summary["read_models"].items()}
    kept = {name: summary[name] for name in ("runs", "dag_runs", "filtered_set")}
    kept |= {"events": events, "read_models": models}
    if not shuffled:
        return {**kept, "alerts": summary["alerts"], "quarantined": summary["quarantined"]}
    alerts = models.pop("job-alerts")
    states = {incident["incident_key"]: incident["state"] for incident in alerts.values()}
    models = {name: _less_counts_of_merges(documents) for name, documents in models.items()}
    kept["read_models"] = models
    return {**kept, "incident_states": states}


def _less_counts_of_merges(documents: dict[str, Any]) -> dict[str, Any]:
    """A downstream run merges what is published when it starts: its counts follow the order, not the set."""
    return {
        name: {field: value for field, value in document.items() if field not in MERGED}
        if document.get("job_name") == "filter_images"
        else document
        for name, document in documents.items()
    }


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_times(item) for name, item in value.items() if not TIMED.search(name)}
    if isinstance(value, list):
        return [_without_times(item) for item in value]
    return value


def _differences(path: str, one: Any, other: Any) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            if name in one and name in other:
                yield from _differences(f"{path}/{name}", one[name], other[name])
            else:
                yield f"{path}/{name}: only in the {'first' if name in one else 'second'}"
    elif one != other:
        yield f"{path}: {_short(one)} != {_short(other)}"


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 200 else f"{text[:200]}…"  # noqa: PLR2004 - a line of a terminal


def main() -> int:
    """Print what differs; exit code 1 when anything does."""
    if len(sys.argv) != 3:  # noqa: PLR2004 - two files
        print("usage: python -m dwh_local.compare SUMMARY SUMMARY", file=sys.stderr)  # noqa: T201
        return 2
    found = differences(*(json.loads(Path(path).read_bytes()) for path in sys.argv[1:]))
    print("\n".join(found) or "equal, times apart")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
