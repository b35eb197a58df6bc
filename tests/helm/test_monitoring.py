"""Prometheus rules reach the cluster as they are tested, and the operator finds them."""

import tarfile
import textwrap

import helm_python
import pytest
import yaml
from rendering import CHART, ENVIRONMENTS, by_name, merged, objects, of_environment, texts

RULES = CHART / "files" / "rules" / "dwh.yaml"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_rules_are_the_tested_file_to_the_letter(environment):
    text = texts(of_environment(environment))["templates/prometheusrule.yaml"]
    assert textwrap.indent(RULES.read_text(encoding="utf-8"), "  ").rstrip() in text
    rule = by_name(objects(of_environment(environment)))["PrometheusRule", "dwh"]
    assert rule["spec"] == yaml.safe_load(RULES.read_text(encoding="utf-8"))


def test_runbooks_are_linked_where_they_are_served():
    base = "https://wiki.example.org/runbooks"
    for given in (base, f"{base}/"):
        values = of_environment("prod", prometheusRule={"runbookBaseUrl": given})
        rules = by_name(objects(values))["PrometheusRule", "dwh"]["spec"]["groups"][0]["rules"]
        assert {rule["annotations"]["runbook_url"] for rule in rules} == {
            f"{base}/{rule['alert']}.md" for rule in rules
        }


@pytest.mark.parametrize(
    ("key", "kind"), [("prometheusRule", "PrometheusRule"), ("podMonitor", "PodMonitor")]
)
def test_a_monitoring_object_is_made_only_where_its_value_says_so(key, kind):
    made = {
        on: {kind for kind, _ in by_name(objects(of_environment("dev", **{key: {"enabled": on}})))}
        for on in (True, False)
    }
    assert made[True] - made[False] == {kind}


def test_the_labels_that_an_operator_selects_by_stand_beside_ours():
    wanted = {"labels": {"release": "monitoring"}}
    values = of_environment(
        "dev", podMonitor=wanted, prometheusRule=merged(wanted, {"annotations": {"team": "warehouse"}})
    )
    found = by_name(objects(values))
    rule, monitor = found["PrometheusRule", "dwh"], found["PodMonitor", "dwh"]
    assert rule["metadata"]["annotations"] == {"team": "warehouse"}
    for made in (rule, monitor):
        assert made["metadata"]["labels"] == {
            "app.kubernetes.io/name": "dwh",
            "app.kubernetes.io/instance": "dwh",
            "release": "monitoring",
        }


def test_a_package_carries_the_rules_and_the_page_and_no_tests(tmp_path):
    with tarfile.open(helm_python.package(CHART, destination=tmp_path)) as package:
        names = {name.removeprefix("dwh/") for name in package.getnames()}
    assert names >= {"files/rules/dwh.yaml", "README.md", "values.schema.json", "templates/NOTES.txt"}
    assert [name for name in names if "test" in name.rpartition("/")[2]] == ["templates/selftest.yaml"]
    assert len(names) == sum(path.is_file() for path in CHART.rglob("*")) - 2  # .helmignore, dwh.test.yaml
