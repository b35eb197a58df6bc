"""The set of a day depends on which runs were merged, not on their order, number or haste."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dwh_jobs.filter_images.day import coverage, day_of
from dwh_jobs.pointer import Pointer, latest_pointer, window_pointer
from dwh_jobs.window import Window
from lab import START, WINDOW, Lab

FIVE = timedelta(minutes=5)
PARTS = [Window(START + FIVE * number, START + FIVE * (number + 1)) for number in range(3)]
DAY = day_of(WINDOW, "America/Los_Angeles")


def transformed(lab: Lab) -> list[dict[str, Any]]:
    """Three runs of the same day; seeds are small, so images repeat between and within them."""
    events = []
    for number, window in enumerate(PARTS):
        lab.sample(rows=40, window=window, seed=number)
        events.append(lab.run(job_run_id=f"t{number}", window=window))
    return events


def merge(lab: Lab, event: dict[str, Any], run_id: str, **given: Any) -> dict[str, Any]:
    return lab.run(
        "filter_images",
        job_run_id=run_id,
        transform_output_path=event["artifacts_base_path"],
        window=WINDOW,
        **given,
    )


def the_set(lab: Lab, dataset: str = "filtered") -> list[str]:
    """The rows readers see: pointer, manifest, files."""
    pointer = Path(window_pointer(f"{lab.folder}/{dataset}", DAY))
    manifest = json.loads(
        Path(json.loads(pointer.read_bytes())["manifest"]["uri"].removeprefix("file://")).read_bytes()
    )
    base = manifest["base_path"]
    files = [f"{base}/{file['path']}" for item in manifest["categories"] for file in item["files"]]
    rows = lab.session.read.parquet(*files)
    return sorted(rows.toJSON().collect())


def test_any_order_and_any_repetition_give_one_set_with_its_lineage(lab: Lab) -> None:
    runs = transformed(lab)
    sets = []
    for number, order in enumerate([(0, 1, 2), (2, 0, 1, 0)]):
        config = lab.config("filter_images", loader_config={"path": f"{lab.uri}/filtered{number}"})
        for step, run in enumerate(order):
            event = merge(lab, runs[run], f"f{number}-{step}", config=config)
            assert event["status"] == "SUCCESS", event["error"]
        sets.append(the_set(lab, f"filtered{number}"))
        payload = event["metrics"]["payload"]
        assert [item["transform_run_id"] for item in payload["lineage"]] == ["t0", "t1", "t2"]
        assert payload["coverage"]["gaps"] == []
        assert event["metrics"]["records_written"] == len(sets[-1])
    assert all(found == sets[0] for found in sets)
    assert payload.keys() == {
        "context", "triggered_by", "input", "coverage", "deduplication", "output", "lineage",
    }  # fmt: skip


def test_the_run_that_loses_the_pointer_merges_again_on_the_winner(lab: Lab, monkeypatch: Any) -> None:
    runs = transformed(lab)
    slow = lab.job("filter_images", job_run_id="slow", transform_output_path=runs[0]["artifacts_base_path"])
    publish, raced = slow.publish_data, []

    def overtaken(pointer: Pointer) -> None:
        if not raced:
            raced.append(merge(lab, runs[1], "fast"))
        publish(pointer)

    monkeypatch.setattr(slow, "publish_data", overtaken)
    outcome = slow.run()
    assert outcome.failure is None
    assert [item["transform_run_id"] for item in outcome.metrics.payload["lineage"]] == ["t0", "t1"]
    latest = json.loads(Path(latest_pointer(f"{lab.folder}/filtered")).read_bytes())
    assert latest["job_run_id"] == "slow"
    assert len(the_set(lab)) == outcome.metrics.records_written


def test_a_file_changed_after_the_audit_is_refused(lab: Lab) -> None:
    lab.sample(rows=10)
    event = lab.run()
    changed = next(Path(event["artifacts_base_path"].removeprefix("file://")).rglob("part-*"))
    changed.write_text(changed.read_text() + "{}\n")
    refused = merge(lab, event, "f1")
    assert (refused["status"], refused["error"]["type"]) == ("FAILED", "InputMismatchError")
    assert changed.name in refused["error"]["message"]


def test_a_red_run_moves_no_pointer(lab: Lab) -> None:
    lab.sample(rows=20, undecryptable=0.5)
    assert lab.run()["status"] == "PENDING_APPROVAL"
    assert not Path(window_pointer(f"{lab.folder}/images", WINDOW)).exists()


@pytest.mark.parametrize(("date", "hours"), [((2026, 11, 23), 24), ((2026, 3, 8), 23), ((2026, 11, 1), 25)])
def test_a_day_lasts_from_midnight_to_midnight_of_the_zone(date: tuple[int, int, int], hours: int) -> None:
    noon = datetime(*date, 20, tzinfo=UTC)
    day = day_of(Window(noon, noon + FIVE), "America/Los_Angeles")
    assert (day.end - day.start) == timedelta(hours=hours)


def test_coverage_names_the_gaps_between_windows() -> None:
    covered, gaps = coverage([PARTS[2], PARTS[0], PARTS[0]])
    assert covered == WINDOW
    assert gaps == (PARTS[1],)
