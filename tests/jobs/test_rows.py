"""Every row read is kept or dropped for exactly one reason, whatever the line holds."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dwh_jobs.sample_data import Recipe, rows_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab import WINDOW, Lab

GOOD = next(line for _, line in rows_of(Recipe(1), WINDOW))


def changed(**over: Any) -> str:
    row = json.loads(GOOD)
    for path, value in over.items():
        *outer, name = path.split("__")
        holder = row
        for part in outer:
            holder = holder[part]
        holder[name] = value
    return json.dumps(row, ensure_ascii=False)


CASES = {
    "extract_corrupt_json": [
        GOOD[:50],
        f"[{GOOD}]",
        f"{GOOD} {GOOD}",
        f"{GOOD} tail",
        f"{GOOD}]",
        f"{GOOD}}}",
        f'{GOOD},"x":1',
        f'{GOOD}],"x":[1',
        "null",
        "7",
        '"text"',
        changed(data="text"),
        changed(data__product_index="seven"),
        changed(data__product_index=1.5),
        changed(data__state="\ufffd"),
        GOOD.replace('"', "'"),
        b'{"eventTime":"\xff\xfe"}',
    ],
    "extract_null_eventtime": ["{}", changed(eventTime=None), changed(eventTime=None, data=None)],
    "extract_null_data": [changed(data=None)],
    "transform_decryption_failure": [
        changed(data__image_view=None, data__image_id=None, data__image_data=None),
        changed(data__image_view="front", data__image_id="%%%", data__image_data="AAAA"),
        changed(data__image_view="front", data__image_id=None, data__image_data=None, data__updated="soon"),
    ],
    "transform_bad_timestamp": [
        changed(data__updated="soon"),
        changed(data__updated=None),
        changed(data__updated="07:00"),
        changed(data__updated="2026-02-30T00:00:00Z"),
    ],
}


def test_each_drop_has_exactly_the_first_reason_that_applies(lab: Lab) -> None:
    lines = [line for cases in CASES.values() for line in cases]
    lab.lines(*lines, GOOD, "", " \t")
    event = lab.run(config=lab.config("transform_images", quality={}))
    reasons = {item["reason"]: item["count"] for item in event["metrics"]["drop_reasons"]}
    assert reasons == {reason: len(cases) for reason, cases in CASES.items()}
    dropped = lab.rows(event, "dropped")
    expected = Counter(
        (line, reason) for reason, cases in CASES.items() for line in cases if isinstance(line, str)
    )
    found = Counter((row["original"], row["reason"]) for row in dropped)
    assert expected <= found
    assert event["metrics"]["records_read"] == len(lines) + 1


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-23T07:01:02Z", "2026-11-23T07:01:02.000000Z"),
        ("2026-11-23T07:01:02.5", "2026-11-23T07:01:02.500000Z"),
        ("2026-11-23 08:01:02.123456789+01:00", "2026-11-23T07:01:02.123456Z"),
    ],
)
def test_times_with_and_without_fraction_and_offset_become_utc(lab: Lab, text: str, written: str) -> None:
    lab.lines(changed(data__updated=text))
    event = lab.run()
    (row,) = [row for name in ("nautilus", "savedproject") for row in lab.rows(event, name)]
    assert (row["eventTime"], row["event_time"]) == (written, written)
    assert row["pk"] == f"{row['data']['projectguid']}_{row['data']['userid']}"


LINES = st.one_of(
    st.just(GOOD),
    st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=40),
    st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b"")),
    st.sampled_from([line for cases in CASES.values() for line in cases]),
    st.tuples(st.integers(0, len(GOOD)), st.sampled_from(['"', "}", "]", ",", "\ufffd", "ü", "\x00"])).map(
        lambda cut: GOOD[: cut[0]] + cut[1] + GOOD[cut[0] :]
    ),
)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(LINES, max_size=60))
def test_kept_and_dropped_make_up_what_was_read(
    lab_in: Callable[[Path], Lab], lines: list[str | bytes]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lab = lab_in(Path(folder))
        lab.lines(*lines)
        event = lab.run(config=lab.config("transform_images", quality={}))
        metrics = event["metrics"]
        assert event["status"] == "SUCCESS", event["error"]
        kept = [row for name in ("nautilus", "savedproject") for row in lab.rows(event, name)]
        dropped = lab.rows(event, "dropped")
        assert metrics["records_read"] == len(kept) + len(dropped)
        assert (metrics["records_written"], metrics["records_dropped"]) == (len(kept), len(dropped))
        summary = metrics["payload"]["load"]["output_summary"]
        assert sum(item["records"] for item in summary) == metrics["records_read"]


def test_gzip_empty_file_and_a_line_of_ten_megabytes_are_read(lab: Lab) -> None:
    lab.lines(GOOD, "x" * 10_000_000)
    lab.lines(name="empty.jsonl")
    path = lab.lines(name="more.jsonl.gz")
    path.write_bytes(gzip.compress(f"{GOOD}\n{GOOD}\n".encode()))
    event = lab.run()
    assert (event["metrics"]["records_written"], event["metrics"]["records_dropped"]) == (3, 1)


def test_changing_one_input_row_changes_the_counts_accordingly(lab: Lab) -> None:
    first, *_ = lab.sample(rows=40)
    before = lab.run(job_run_id="before")
    path = Path(first.removeprefix("file://"))
    path.write_text(path.read_text().replace("{", "", 1))
    after = lab.run(job_run_id="after")
    assert before["metrics"]["records_dropped"] == 0
    assert after["metrics"]["records_dropped"] == 1
    assert after["quality"]["checks"][0]["value"] == 1 / 40
    assert after["metrics"]["records_written"] == before["metrics"]["records_written"] - 1


def test_two_parsers_in_one_partition_both_survive_and_history_is_untouched(lab: Lab) -> None:
    parsers = ("NautilusBookParser", "NautilusCollageParser")
    lab.lines(*[_of(name) for name in parsers])
    first = lab.run(job_run_id="one")
    kept = lab.rows(first, "nautilus")
    second = lab.run(job_run_id="two")
    assert len(kept) == len(lab.rows(second, "nautilus")) == 2
    assert lab.rows(first, "nautilus") == kept
    names = [kind["name"] for kind in first["metrics"]["payload"]["transform"]["data_types"]]
    assert names == ["nautilusbookparser", "nautiluscollageparser"]


def _of(processor: str) -> str:
    row = json.loads(GOOD)
    row["__meta__"]["savedproject"]["processor"] = processor
    return json.dumps(row)


def test_both_vectorised_forms_of_the_cipher_give_the_same_rows(lab: Lab) -> None:
    lab.sample(rows=20, undecryptable=0.2)
    found = [
        lab.run(job_run_id=udf, config=lab.config("transform_images", udf=udf, quality={}))
        for udf in ("arrow", "pandas")
    ]
    assert [event["error"] for event in found] == [None, None]
    arrow, pandas = (
        [lab.rows(event, name) for name in ("nautilus", "savedproject", "dropped")] for event in found
    )
    assert arrow == pandas
