"""Terraform's outputs become values of the chart, and no other."""

import json
import subprocess
import sys

import pytest
import yaml

CONSUMERS = ("indexer", "alerts", "orchestrator", "approvals")
DIGEST = f"sha256:{'0' * 64}"


def values_of(root, outputs, *arguments):
    script = root / "scripts" / "helm_values.py"
    return subprocess.run(
        [sys.executable, str(script), *arguments], input=outputs, capture_output=True, text=True, check=False
    )


@pytest.fixture
def printed(plan, root):
    """What the script prints for the outputs of a plan, as data."""
    _, made = plan
    outputs = json.dumps({name: {"value": value} for name, value in made.outputs().items()})
    answer = values_of(root, outputs, "--image", f"registry.example.com:5000/dwh@{DIGEST}")
    assert answer.returncode == 0, answer.stderr
    return yaml.safe_load(answer.stdout)


def paths(values, before=()):
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from paths(value, (*before, key))
        else:
            yield (*before, key)


def test_the_chart_knows_every_value(printed, root):
    chart = yaml.safe_load((root / "helm" / "dwh" / "values.yaml").read_text(encoding="utf-8"))
    chart["consumers"] = dict.fromkeys(CONSUMERS, chart["defaults"])
    assert set(paths(printed)) <= set(paths(chart))


def test_everything_belongs_to_the_environment(plan, printed):
    environment, _ = plan
    assert printed["environment"] == environment
    for text in (*printed["topics"].values(), *printed["queues"].values(), printed["workflowConfigUri"]):
        assert f"dwh-{environment}-" in text
    assert printed["opensearch"]["url"].startswith(f"https://vpc-dwh-{environment}.")


def test_without_a_load_balancer_of_ours_the_ingress_hands_the_token_on_as_authorization(printed):
    assert printed["auth"]["oidc"]["tokenHeader"] == "authorization"


def test_each_consumer_takes_its_own_role(plan, printed):
    environment, _ = plan
    roles = {name: section["serviceAccount"]["roleArn"] for name, section in printed["consumers"].items()}
    pods = ("bootstrap", "selftest")
    roles |= {name: printed[name]["serviceAccount"]["roleArn"] for name in pods}
    assert {name: arn.rpartition("/")[2] for name, arn in roles.items()} == {
        name: f"dwh-{environment}-{name}" for name in (*CONSUMERS, *pods)
    }


def test_the_image_is_named_by_its_digest(printed):
    assert printed["image"] == {"repository": "registry.example.com:5000/dwh", "digest": DIGEST}


@pytest.mark.parametrize(
    ("outputs", "arguments", "said"),
    [
        ("{}", (), "no output `helm`"),
        ("[]", (), "no output `helm`"),
        ('{"helm": {"value": null}}', (), "apply the environment first"),
        ('{"helm": {"value": {}}}', (), "lacks 'role_arns'"),
        ("", (), "is no JSON"),
    ],
)
def test_bad_input_is_refused_with_a_remedy(root, outputs, arguments, said):
    answer = values_of(root, outputs, *arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr


def test_an_image_without_tag_or_digest_is_refused(plan, root):
    outputs = json.dumps({"helm": {"value": plan[1].outputs()["helm"]}})
    answer = values_of(root, outputs, "--image", "registry.example.com/dwh")
    assert answer.returncode == 2
    assert "REPOSITORY:TAG" in answer.stderr
