"""What the DAG of filter_images hands to its job."""

import sys

import filter_image_glue_pyspark as module
import pytest
from airflow.exceptions import ParamValidationError

WHERE = {"config_uri": "s3://code/jobs/", "environment": "dev", "run_id": "trig__a__b", "attempt": 2}


def arguments(**params):
    items = module.job_arguments(params, **WHERE)
    return dict(zip(items[::2], items[1::2], strict=True))


def test_what_the_conf_leaves_out_is_left_out():
    assert arguments(start_date="2026-11-23") == {
        "--job_name": "filter_images",
        "--config": "s3://code/jobs/filter_images.json",
        "--start_date": "2026-11-23",
        "--created_by": "airflow",
        "--environment": "dev",
        "--attempt": "2",
        "--job_run_id": "trig__a__b",
    }


def test_the_folder_of_the_manifest_stands_in_for_a_path_that_is_not_mapped():
    artifacts = {"uri": "s3://data/runs/r/a1/_manifest.json", "sha256": "0" * 64}
    assert arguments(source_artifacts=artifacts)["--transform_output_path"] == "s3://data/runs/r/a1"
    mapped = arguments(source_artifacts=artifacts, transform_output_path="s3://other")
    assert mapped["--transform_output_path"] == "s3://other"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('["/a b/python", "-m", "x"]', ["/a b/python", "-m", "x"]),
        ("python -m x", ["python", "-m", "x"]),
        ("'/a b/python' -m x", ["/a b/python", "-m", "x"]),
    ],
)
def test_the_command_is_a_json_list_or_words(text, command):
    assert module.command_of(text) == command


@pytest.mark.parametrize("text", ["", "[]", "[1]"])
def test_a_command_that_names_no_program_is_refused(text):
    with pytest.raises(ValueError, match="program"):
        module.command_of(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start_date", 5),
        ("end_date", ["x"]),
        ("created_by", None),
        ("transform_output_path", "--config=x"),
        ("source_artifacts", "s3://x"),
        ("triggered_by_job", {}),
    ],
)
def test_params_refuse_a_wrong_type_and_what_would_read_as_an_option(name, value):
    param = module.dag.params.get_param(name)
    with pytest.raises(ParamValidationError):
        param.resolve(value)


def test_a_process_gets_its_arguments_as_they_are_and_its_output_reaches_the_log(monkeypatch, capsys):
    monkeypatch.setattr(module, "variable", lambda name, default=None: {"dwh_environment": "dev"}.get(name))
    operator = module.dag.get_task("filter_images")
    text = "$(id) `id` ; 'x' {{ 7*7 }}"
    show = "import os, sys; print(sys.argv[1], os.environ['DWH_ENVIRONMENT'])"
    operator.run_process([sys.executable, "-c", show, text])
    assert f"{text} dev" in capsys.readouterr().out


def test_a_process_that_fails_fails_the_task(monkeypatch):
    monkeypatch.setattr(module, "variable", lambda _name, default=None: default)
    with pytest.raises(RuntimeError, match="exit code 3"):
        module.dag.get_task("filter_images").run_process([sys.executable, "-c", "raise SystemExit(3)"])


def test_the_dag_is_a_target():
    assert "dwh-target" in module.dag.tags
    assert module.dag.max_active_runs == 1
    assert set(module.dag.params) >= {
        "triggered_by_job",
        "triggered_by_run_id",
        "trigger_id",
        "source_artifacts",
    }
