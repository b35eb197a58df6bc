"""Events of real runs have the golden shapes, field by field, and statuses out of real counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from dwh_contracts.clock import SystemClock
from dwh_contracts.ids import job_event_id
from dwh_contracts.parse import event_from_body
from dwh_jobs.errors import PointerConflictError
from dwh_jobs.events import job_completed, job_started
from dwh_jobs.pointer import Pointer, window_pointer
from lab import CHECKS, WINDOW, Lab, golden

BROKEN_CIPHER = """
class Cipher:
    def decrypt(self, view, image_id, image_data):
        raise ValueError("the key is gone")
"""
SHAPES = {str: "text", bool: "flag", int: "number", float: "number", type(None): "null"}


def shape(value: Any) -> Any:
    """Names and kinds without values; of a list, the shape of its elements."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in sorted(value.items())}
    if isinstance(value, list):
        kinds = [shape(item) for item in value]
        return [kinds[0]] if kinds and all(kind == kinds[0] for kind in kinds) else kinds
    return SHAPES[type(value)]


def without_messages(event: dict[str, Any]) -> dict[str, Any]:
    for check in event["quality"]["checks"]:
        check["message"] = None
    return event


@pytest.mark.parametrize(
    ("name", "undecryptable", "status", "quality"),
    [
        ("green", 0.0, "SUCCESS", "GREEN"),
        ("yellow", 0.05, "SUCCESS", "YELLOW"),
        ("red", 0.10, "PENDING_APPROVAL", "RED"),
    ],
)
def test_a_run_says_what_its_counts_say_in_the_golden_shape(
    lab: Lab, name: str, undecryptable: float, status: str, quality: str
) -> None:
    lab.sample(rows=200, corrupt=0.01, null_time=0.01, undecryptable=undecryptable)
    event = lab.run(causation_id=None)
    assert (event["status"], event["quality"]["status"]) == (status, quality)
    assert event["metrics"]["records_dropped"] == round(200 * (0.02 + undecryptable))
    assert shape(without_messages(event)) == shape(without_messages(golden(f"job_completed_{name}")))
    assert event_from_body(event).event_id == event["event_id"]


def test_a_failed_run_has_the_golden_shape_and_no_partial_count(lab: Lab) -> None:
    event = lab.run()
    expected = golden("job_completed_failed_extract")
    assert event["error"]["type"] == "SourceUnavailableError"
    assert event["error"]["phase"] == "extract"
    assert shape(event["metrics"]) == shape(expected["metrics"])
    assert {name: event[name] for name in ("status", "failure_type", "artifacts", "quality")} == {
        name: expected[name] for name in ("status", "failure_type", "artifacts", "quality")
    }
    assert event_from_body(event).event_id == event["event_id"]


def test_a_run_that_fails_after_its_write_equals_the_golden_event_field_by_field(
    lab: Lab, monkeypatch: Any
) -> None:
    lab.sample(rows=200, corrupt=0.01, null_time=0.01, undecryptable=0.10)
    job = lab.job(config=lab.config("transform_images", quality={}))

    def lost(_pointer: Pointer) -> None:
        raise PointerConflictError("another run published first")

    monkeypatch.setattr(job, "publish_data", lost)
    event, expected = job_completed(job.run(), SystemClock().now()), golden("job_completed_failed_load")
    assert shape(event) == shape(expected)
    same = ["event_type", "status", "failure_type", "producer", "quality", "schema_version"]
    for name in [*same, *(field for field in expected if field.startswith("artifacts"))]:
        assert event[name] == expected[name], name
    assert (event["error"]["type"], event["error"]["phase"]) == ("PointerConflictError", "load")
    metrics = event["metrics"]
    assert metrics["job_status"] == expected["metrics"]["job_status"]
    assert (metrics["records_read"], metrics["records_written"], metrics["records_dropped"]) == (200, 176, 24)
    assert event_from_body(event).event_id == event["event_id"]


def test_a_decryptor_that_raises_in_a_worker_is_reported_as_transform_without_any_count(
    lab: Lab, tmp_path: Path, monkeypatch: Any
) -> None:
    """Spark runs the rows during the write, so only the marker can tell which step it was."""
    wheel = tmp_path / "broken_cipher.zip"
    with ZipFile(wheel, "w") as archive:
        archive.writestr("broken_cipher.py", BROKEN_CIPHER)
        archive.writestr("broken_cipher-1.0.dist-info/METADATA", "Name: broken-cipher\nVersion: 1.0\n")
        archive.writestr(
            "broken_cipher-1.0.dist-info/entry_points.txt",
            "[dwh_jobs.decryptors]\nbroken_cipher = broken_cipher:Cipher\n",
        )
    monkeypatch.syspath_prepend(str(wheel))
    lab.session.sparkContext.addPyFile(str(wheel))
    lab.sample(rows=30)
    event = lab.run(config=lab.config("transform_images") | {"decryptor": "broken_cipher"})
    assert (event["status"], event["failure_type"]) == ("FAILED", "CATASTROPHIC")
    assert event["error"]["phase"] == "transform"
    assert "decryptor broken_cipher failed: ValueError: the key is gone" in event["error"]["message"]
    metrics = event["metrics"]
    assert (metrics["records_read"], metrics["records_written"], metrics["drop_reasons"]) == (0, 0, [])
    assert not event["artifacts"]
    assert not Path(window_pointer(f"{lab.folder}/images", WINDOW)).exists()


def test_the_id_of_an_event_depends_on_the_run_alone(lab: Lab) -> None:
    event = lab.run(job_run_id="run-7", attempt=3)
    assert event["event_id"] == job_event_id("job_completed", "local", "transform_images", "run-7", 3)


def test_job_started_has_the_golden_fields_and_a_context_without_nulls(lab: Lab) -> None:
    event = job_started(lab.job().context, SystemClock().now())
    assert golden("job_started").keys() <= event.keys()
    assert shape(event["metrics"]) == shape(golden("job_started")["metrics"])
    assert event_from_body(event).event_type == "job_started"


def test_an_exception_while_publishing_keeps_counts_and_reports_load(lab: Lab, monkeypatch: Any) -> None:
    lab.sample(rows=30)
    job = lab.job()
    monkeypatch.setattr(job, "publish_data", lambda _pointer: (_ for _ in ()).throw(OSError("disk is gone")))
    outcome = job.run()
    assert outcome.failure
    assert (outcome.failure.type, outcome.failure.phase) == ("OSError", "load")
    assert outcome.metrics.records_read == 30
    assert outcome.staged is None


def test_a_row_step_that_raises_is_named_as_the_phase_and_leaves_no_partial_count(lab: Lab) -> None:
    lab.sample(rows=30)
    config = lab.config("transform_images") | {"decryptor": "no_such"}
    event = lab.run(config=config)
    assert event["status"] == "FAILED"
    assert event["error"]["phase"] == "transform"
    assert (event["metrics"]["records_read"], event["metrics"]["records_written"]) == (0, 0)


def test_no_checks_configured_is_green_and_not_evaluated(lab: Lab) -> None:
    lab.sample(rows=10)
    event = lab.run(config=lab.config("transform_images", quality={}))
    assert event["quality"] == {"status": "GREEN", "evaluated": False, "checks": []}


def test_an_empty_window_is_never_green(lab: Lab) -> None:
    lab.lines("", "   ")
    checks = [*CHECKS[:1], {"name": "empty_window", "status": "YELLOW"}]
    event = lab.run(config=lab.config("transform_images", quality={"checks": checks}))
    assert event["quality"]["status"] == "YELLOW"
    assert event["metrics"]["payload"]["extract"]["partitions_found"] == 1
    assert event["metrics"]["payload"]["extract"]["partitions_empty"] == 1
    assert event["metrics"]["payload"]["extract"]["partitions_requested"] == 3
