"""The rendered chart under the rules of checkov; what is left out stands in checkov.yaml with its reason."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from rendering import ENGINES, ENVIRONMENTS, NAMESPACE, ROOT, objects, of_environment

CHECKOV = ROOT / ".venvs" / "policy" / "bin" / "checkov"
CONFIG = Path(__file__).with_name("checkov.yaml")

pytestmark = pytest.mark.timeout(180)


def failed(folder):
    """Ids of failed checks with the objects they failed on; how many passed."""
    answer = subprocess.run(
        [str(CHECKOV), "--directory", str(folder), "--config-file", str(CONFIG), "--output", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode in {0, 1}, answer.stderr
    told = json.loads(answer.stdout)
    checks = told["results"]["failed_checks"]
    return {(check["check_id"], check["resource"]) for check in checks}, told["summary"]["passed"]


def written(folder, name, found):
    placed = [made | {"metadata": made["metadata"] | {"namespace": NAMESPACE}} for made in found]
    (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(placed), encoding="utf-8")


def test_every_environment_and_engine_passes_every_rule_that_is_not_left_out(tmp_path):
    for environment in ENVIRONMENTS:
        for engine in ENGINES:
            values = of_environment(environment, autoscaling={"engine": engine})
            written(tmp_path, f"{environment}-{engine}", objects(values))
    problems, passed = failed(tmp_path)
    assert problems == set()
    assert passed > 3000


def test_a_planted_fault_is_seen(tmp_path):
    found = [made for made in objects(of_environment("prod")) if made["kind"] == "Deployment"][:1]
    container = found[0]["spec"]["template"]["spec"]["containers"][0]
    container["securityContext"]["readOnlyRootFilesystem"] = False
    written(tmp_path, "fault", found)
    problems, _ = failed(tmp_path)
    assert "CKV_K8S_22" in {check for check, _ in problems}
