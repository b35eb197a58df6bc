"""What may never change between two versions, because Kubernetes refuses it or people rely on it.

`golden/selectors.json` is committed by hand: a difference is a breaking change of the chart.
"""

import json
from pathlib import Path

import pytest
from rendering import CONSUMERS, ENGINES, ENVIRONMENTS, by_name, objects, of_environment

GOLDEN = json.loads((Path(__file__).parent / "golden" / "selectors.json").read_text(encoding="utf-8"))


def selectors(found):
    """Everything that picks pods, by kind and name."""
    made = {}
    for (kind, name), value in found.items():
        spec = value.get("spec", {})
        if picked := spec.get("selector") or spec.get("podSelector"):
            made[f"{kind}/{name}"] = picked
    return made


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_selectors_are_those_of_every_earlier_version(environment, engine):
    found = by_name(objects(of_environment(environment, autoscaling={"engine": engine})))
    assert selectors(found) == GOLDEN


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_deployment_picks_its_own_pods_and_no_others(name):
    found = by_name(objects(of_environment("prod")))
    wanted = found["Deployment", f"dwh-{name}"]["spec"]["selector"]["matchLabels"].items()
    labels = {
        other: found["Deployment", f"dwh-{other}"]["spec"]["template"]["metadata"]["labels"].items()
        for other in CONSUMERS
    }
    assert [other for other in CONSUMERS if wanted <= labels[other]] == [name]


def test_nothing_of_a_selector_depends_on_the_version_of_the_chart():
    assert not {"app.kubernetes.io/version", "helm.sh/chart"} & set(json.dumps(GOLDEN).split('"'))
