"""What Helm says after an install holds for what was installed."""

import re

import pytest
from rendering import CONSUMERS, ENGINES, by_name, merged, objects, of_environment, texts


def notes(values):
    return texts(values)["templates/NOTES.txt"]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_object_that_the_notes_name_is_in_the_release(engine):
    values = of_environment("prod", autoscaling={"engine": engine}, ingress={"enabled": False})
    deployments = re.findall(r"deployment/(\S+?)[,\s]", notes(values))
    services = re.findall(r"svc/(\S+)", notes(values))
    made = {name for kind, name in by_name(objects(values)) if kind in {"Deployment", "Service"}}
    assert set(deployments) == {f"dwh-{name}" for name in CONSUMERS}
    assert services == ["dwh-approvals"]
    assert made >= {*deployments, *services}


def test_the_bounds_of_each_consumer_are_told():
    values = of_environment("prod", consumers={"alerts": {"scaling": {"max": 3}}})
    assert "alerts        2 to 3 of deployment/dwh-alerts, by queue depth (keda)" in notes(values)
    still = merged(of_environment("dev"), {"consumers": {"alerts": {"replicas": 2}}})
    assert "alerts        2 of deployment/dwh-alerts" in notes(still)


def test_a_consumer_that_is_left_out_is_told_and_named_nowhere_else():
    left_out = {name: {"enabled": False} for name in ("alerts", "approvals")}
    said = notes(of_environment("dev", consumers=left_out, ingress={"enabled": False}))
    assert "alerts        left out" in said
    assert "dwh-alerts" not in said
    assert "Console" not in said


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({}, "https://approvals.dev.example.com"),
        ({"console": {"url": ""}}, "http://approvals.dev.example.com"),
        ({"console": {"url": ""}, "ingress": {"tlsSecret": "tls"}}, "https://approvals.dev.example.com"),
        ({"ingress": {"enabled": False}}, "svc/dwh-approvals 8080:80"),
        ({"ingress": {"enabled": False}}, "bring a token of https://login.example.com"),
    ],
)
def test_the_console_is_told_where_it_answers(changes, address):
    assert address in notes(of_environment("dev", **changes))


def test_what_is_missing_is_said():
    said = notes(of_environment("dev"))
    assert "helm test dwh -n warehouse" in said
    assert "existingSecret" not in said
    bare = notes(
        of_environment(
            "dev",
            opensearch={"auth": "none"},
            secrets={"existingSecret": ""},
            podMonitor={"enabled": False},
            selftest={"enabled": False},
        )
    )
    assert "secrets.existingSecret is empty" in bare
    assert "not both are on" in bare
    assert "helm test" not in bare
