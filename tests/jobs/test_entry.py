"""The command line: exact names, helpful refusals, exit codes, no secret in any log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dwh_contracts.clock import SystemClock
from dwh_jobs.arguments import parse_arguments
from dwh_jobs.config import read_config, typed_config
from dwh_jobs.context import execution_context
from dwh_jobs.errors import BadArgumentsError, ConfigRefusedError
from dwh_jobs.factory import JobFactory
from dwh_jobs.generic_entry import BAD_ARGUMENTS, main
from dwh_jobs.job import JobPorts
from dwh_jobs.redact import redacted, redacted_text
from dwh_jobs.sample_data import main as sample_data
from dwh_jobs.transform_images.config import TransformImagesConfig
from lab import a_context

ARGUMENTS = [
    "--job_name", "transform_images", "--config", "{}", "--start_date", "2026-11-23T07:00:00Z",
    "--end_date", "2026-11-23T07:15:00", "--created_by", "me", "--environment=local",
]  # fmt: skip
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--trigger", "x"], "unknown argument --trigger (did you mean --trigger_id?)"),
        (["--attempt", "0"], "--attempt is a number from 1 to 50"),
        (["--attempt"], "--attempt needs a value"),
        (["--job_name", "other"], "--job_name is given twice"),
        (["stray"], "expected an argument that begins with --"),
    ],
)
def test_a_bad_argument_is_named_with_its_remedy(extra: list[str], message: str) -> None:
    with pytest.raises(BadArgumentsError) as refused:
        parse_arguments([*ARGUMENTS, *extra])
    assert message in str(refused.value)


def test_platform_arguments_pass_and_give_the_run_id() -> None:
    arguments = parse_arguments(
        [*ARGUMENTS, "--JOB_RUN_ID", "jr_1", "--JOB_NAME", "glue", "--TempDir", "s3://t"]
    )
    context = execution_context(arguments, SystemClock(), {})
    assert (context.job_run_id, context.platform_run_id, context.causation_id) == ("jr_1", "jr_1", None)


def test_the_trigger_is_the_cause_and_the_triggering_run_the_correlation() -> None:
    extra = [
        "--trigger_id",
        "t" * 32,
        "--triggered_by_job",
        "a",
        "--triggered_by_run_id",
        "r",
        "--job_run_id",
        "d",
    ]
    context = execution_context(parse_arguments([*ARGUMENTS, *extra]), SystemClock(), {})
    assert (context.causation_id, context.correlation_id, context.job_run_id) == ("t" * 32, "r", "d")


def test_the_old_name_of_job_name_is_understood() -> None:
    assert parse_arguments(["--module_name", *ARGUMENTS[1:]]).job_name == "transform_images"


def test_exit_code_two_and_one_line_for_bad_arguments(capsys: Any) -> None:
    assert main(["--job_name", "transform_image", *ARGUMENTS[2:]]) == BAD_ARGUMENTS
    said = capsys.readouterr().err
    assert said == "generic_entry: unknown job transform_image (did you mean transform_images?)\n"


def test_an_unknown_configuration_key_is_refused_with_the_nearest() -> None:
    raw = {"extractor_config": {"pat": "/x"}, "loader_config": {"path": "/y"}, "qualty": {}}
    with pytest.raises(ConfigRefusedError) as refused:
        typed_config(TransformImagesConfig, raw)
    assert ("qualty", "unknown key (did you mean quality?)") in refused.value.problems
    assert ("extractor_config.pat", "unknown key (did you mean path?)") in refused.value.problems


def test_the_shipped_configurations_fit_their_jobs(tmp_path: Path) -> None:
    for name in ("transform_images", "filter_images"):
        uri = (ROOT / "jobs" / "config" / f"{name}.json").as_uri()
        raw = read_config(uri, {"DWH_DATA_URI": tmp_path.as_uri()})
        job = JobFactory(JobPorts(session=lambda *_: None, clock=SystemClock())).create(
            name, raw, a_context(name)
        )  # type: ignore[arg-type, return-value]
        assert job.sink_base_path.startswith(tmp_path.as_uri())


def test_no_secret_survives_redaction() -> None:
    value = {
        "db": {"password": "hunter2", "url": "postgres://u:hunter2@h/db"},
        "tokens": ["hunter2"],
        "rows": 3,
    }
    shown = json.dumps(redacted(value)) + redacted_text(
        "api_key=hunter2 AKIAABCDEFGHIJKLMNOP secret: hunter2"
    )
    assert "hunter2" not in shown
    assert "AKIA" not in shown
    assert '"rows": 3' in shown


def test_sample_data_is_the_same_for_the_same_arguments_and_needs_no_spark(tmp_path: Path) -> None:
    def generated(folder: str, seed: str) -> list[bytes]:
        window = ["--start_date", "2026-11-23T07:00:00Z", "--end_date", "2026-11-23T07:15:00Z"]
        rates = ["--corrupt", "0.1", "--null-time", "0.1", "--undecryptable", "0.1"]
        output = ["--output", str(tmp_path / folder)]
        assert sample_data(["--rows", "30", "--seed", seed, *rates, *output, *window]) == 0
        return [path.read_bytes() for path in sorted((tmp_path / folder).rglob("*.jsonl"))]

    assert generated("a", "1") == generated("b", "1") != generated("c", "2")
    probe = "import sys, dwh_jobs.sample_data; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0


def published(process: subprocess.Popen[str]) -> None:
    """Wait until the event of the start is out: Spark has not begun."""
    assert process.stderr
    for line in process.stderr:
        if '"event_published"' in line:
            break


def spark_starting(process: subprocess.Popen[str]) -> None:
    """Wait until the JVM, or the script that becomes it, is there: Python's main thread has started it."""
    while not Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text():
        assert process.poll() is None


@pytest.mark.parametrize("moment", [published, spark_starting])
def test_sigterm_publishes_failed_with_the_type_terminated_and_leaves_no_process(
    tmp_path: Path, moment: Callable[[subprocess.Popen[str]], None]
) -> None:
    config = {
        "extractor_config": {"path": f"{tmp_path}/source"},
        "loader_config": {"path": f"{tmp_path}/images"},
        "publisher": {"kind": "FILE", "path": f"{tmp_path}/events"},
    }
    sample_data(["--rows", "10", "--output", f"{tmp_path}/source", *ARGUMENTS[4:8]])
    command = [
        sys.executable,
        "-m",
        "dwh_jobs.generic_entry",
        *ARGUMENTS[:3],
        json.dumps(config),
        *ARGUMENTS[4:],
    ]
    process = subprocess.Popen(
        [*command, "--job_run_id", "r"], stderr=subprocess.PIPE, text=True, env=os.environ
    )
    moment(process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)  # its end of file: no JVM that it started holds the pipe any more
    events = [json.loads(path.read_bytes()) for path in (tmp_path / "events").glob("*.json")]
    (completed,) = [event for event in events if event["event_type"] == "job_completed"]
    assert process.returncode == 1
    assert (completed["status"], completed["error"]["type"]) == ("FAILED", "Terminated")
