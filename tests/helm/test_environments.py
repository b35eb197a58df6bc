"""Each environment under each engine: lint, the schemas of two Kubernetes versions, models of the CRDs."""

import itertools
import json
from functools import cache

import helm_python
import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as monitoring
from rendering import CHART, CONSUMERS, ENGINES, ENVIRONMENTS, by_name, merged, objects, of_environment

WARNING = 2
MODELS = {
    "ScaledObject": keda.ScaledObject,
    "TriggerAuthentication": keda.TriggerAuthentication,
    "PodMonitor": monitoring.PodMonitor,
    "PrometheusRule": monitoring.PrometheusRule,
}
# the newest model of this API for this Python is of KEDA 2.16; the field is of 2.17 and runs in tests/cluster
NEWER_THAN_THE_MODEL = {"ScaledObject": ("spec", "fallback", "behavior")}
SCALERS = {"keda": "ScaledObject", "hpa": "HorizontalPodAutoscaler", "none": None}


def oldest_and_newest():
    stated = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["kubeVersion"]
    return stated.removeprefix(">=").removesuffix("-0"), kubernetes_validate.latest_version()


@pytest.fixture(scope="module", params=itertools.product(ENVIRONMENTS, ENGINES), ids="-".join)
def values(request):
    environment, engine = request.param
    return of_environment(environment, autoscaling={"engine": engine})


@pytest.fixture(scope="module")
def found(values):
    return by_name(objects(values))


def test_strict_lint_finds_nothing_to_warn_of(values):
    report = helm_python.lint(CHART, values, strict=True)
    assert (report["errors"], [said for said in report["messages"] if said["severity"] >= WARNING]) == (
        [],
        [],
    )


@pytest.mark.parametrize("version", oldest_and_newest())
def test_every_object_of_kubernetes_is_valid_to_the_last_field(found, version):
    for (kind, _), made in found.items():
        if kind not in MODELS:
            assert held_to_schema(json.dumps(made), version) in version


def test_every_custom_object_is_valid_to_the_last_field(found):
    for (kind, _), made in found.items():
        if kind in MODELS:
            assert as_its_model_reads_it(made) == without(made, NEWER_THAN_THE_MODEL.get(kind))


def test_exactly_the_engine_owns_the_replica_count(values, found):
    engine = values["autoscaling"]["engine"]
    scaled = {name for kind, name in found if kind in set(SCALERS.values())}
    assert scaled == {name for kind, name in found if kind == SCALERS[engine]}
    for name in CONSUMERS:
        deployment = found["Deployment", f"dwh-{name}"]
        assert ("replicas" in deployment["spec"]) == (engine == "none")
        assert (f"dwh-{name}" in scaled) == (engine != "none")


def test_each_scaler_counts_the_queue_that_its_deployment_reads(values, found):
    engine = values["autoscaling"]["engine"]
    for name in CONSUMERS if engine != "none" else ():
        spec = found[SCALERS[engine], f"dwh-{name}"]["spec"]
        assert spec["scaleTargetRef"]["name"] == f"dwh-{name}"
        if engine == "keda":
            assert spec["triggers"][0]["metadata"]["queueURL"] == values["queues"][name]
            assert ("TriggerAuthentication", spec["triggers"][0]["authenticationRef"]["name"]) in found
        else:
            assert spec["metrics"][0]["external"]["metric"]["selector"]["matchLabels"]["queue"] == name


def test_the_smallest_release_and_the_fullest_are_valid_too():
    smallest = of_environment(
        "dev",
        consumers={name: {"enabled": False} for name in ("alerts", "approvals", "orchestrator")},
        **{
            key: {"enabled": False}
            for key in ("bootstrap", "selftest", "networkPolicy", "podMonitor", "ingress")
        },
    )
    fullest = of_environment(
        "prod",
        aws={"endpointUrl": "https://aws.example.com"},
        image={"digest": f"sha256:{'0' * 64}", "pullSecrets": {"registry": True, "old": False}},
        identity={"mode": "irsa"},
        defaults={
            "serviceAccount": {"roleArn": "arn:aws:iam::111122223333:role/dwh"},
            "podAnnotations": {"team": "warehouse"},
        },
        bootstrap={"serviceAccount": {"roleArn": "arn:aws:iam::111122223333:role/dwh-bootstrap"}},
        selftest={"serviceAccount": {"roleArn": "arn:aws:iam::111122223333:role/dwh-selftest"}},
        extraEnv={"A": {"value": "text"}, "B": {"secret": {"name": "other", "key": "b"}}},
        autoscaling={"keda": {"awsEndpoint": "https://aws.example.com", "credentialsSecret": "aws"}},
        ingress={"className": "nginx", "tlsSecret": "tls", "annotations": {"a": "b"}},
    )
    for values in (smallest, fullest, merged(fullest, {"autoscaling": {"engine": "hpa"}})):
        for (kind, _), made in by_name(objects(values)).items():
            if kind in MODELS:
                assert as_its_model_reads_it(made) == without(made, NEWER_THAN_THE_MODEL.get(kind))
            else:
                held_to_schema(json.dumps(made), oldest_and_newest()[0])


def test_the_models_notice_a_field_that_does_not_exist():
    wrong = by_name(objects(of_environment("prod")))["ScaledObject", "dwh-alerts"]
    wrong["spec"]["minReplicas"] = 1
    assert as_its_model_reads_it(wrong) != without(wrong, NEWER_THAN_THE_MODEL["ScaledObject"])


@cache
def held_to_schema(text, version):
    return kubernetes_validate.validate(json.loads(text), version, strict=True)


def as_its_model_reads_it(made):
    """The object read and written again: an unknown field is lost on the way."""
    read = MODELS[made["kind"]].model_validate(made)
    return read.model_dump(mode="json", by_alias=True, exclude_unset=True)


def without(made, path):
    if path is None:
        return made
    key, *rest = path
    return {
        name: without(value, rest) if name == key else value
        for name, value in made.items()
        if rest or name != key
    }
