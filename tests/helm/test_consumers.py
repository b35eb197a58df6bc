"""A section of one consumer changes that consumer's objects; time-outs are those of the one list."""

import json

import pytest
from rendering import CONSUMERS, ENVIRONMENTS, by_name, merged, objects, of_environment, set_

ROLE = "arn:aws:iam::111122223333:role/alerts"
SETTINGS = {
    "enabled": "false",
    "replicas": "3",
    "scaling.min": "3",
    "scaling.max": "9",
    "scaling.queueLength": "7",
    "scaling.stabilizationSeconds": "60",
    "timeouts.handler": "20",
    "timeouts.drain": "20",
    "timeouts.grace": "90",
    "timeouts.visibility": "90",
    "resources.cpu": "1",
    "resources.memory": "1Gi",
    "logLevel": "DEBUG",
    "tmpSize": "1Gi",
    "serviceAccount.roleArn": ROLE,
    "secretKeys.DWH_AUDIT_KEY": "audit",
    "podAnnotations.team": "warehouse",
}
SCALER, ACCOUNT = ("ScaledObject", "dwh-alerts"), ("ServiceAccount", "dwh-alerts")
POD, BUDGET = ("Deployment", "dwh-alerts"), ("PodDisruptionBudget", "dwh-alerts")
CHANGES = {
    "enabled": {SCALER, ACCOUNT, POD, BUDGET},
    "serviceAccount.roleArn": {ACCOUNT},
    **{name: {SCALER} for name in SETTINGS if name.startswith("scaling.")},
}


@pytest.fixture
def base(request):
    """Prod, with an engine under which the count is said, and an identity under which the role is."""
    name = request.node.callspec.params["setting"]
    values = of_environment("prod")
    if name == "replicas":
        return merged(values, {"autoscaling": {"engine": "none"}})
    if name == "serviceAccount.roleArn":
        roles = {"serviceAccount": {"roleArn": f"{ROLE}-of-all"}}
        irsa = {"identity": {"mode": "irsa"}, "defaults": roles, "bootstrap": roles, "selftest": roles}
        return merged(values, irsa)
    return values


@pytest.mark.parametrize("setting", SETTINGS)
def test_setting_a_value_of_alerts_changes_objects_of_alerts_only(base, setting):
    changed = merged(base, set_(f"consumers.alerts.{setting}={SETTINGS[setting]}"))
    before, after = by_name(objects(base)), by_name(objects(changed))
    different = {key for key in before | after if before.get(key) != after.get(key)}
    assert different == CHANGES.get(setting, {POD})


def test_every_value_of_a_consumer_is_tried(schema):
    assert set(SETTINGS) == set(leaves("ConsumerDifferences", schema["$defs"]))


@pytest.mark.parametrize("name", CONSUMERS)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_pod_may_drain_before_it_is_killed_and_handle_before_the_message_returns(environment, name):
    pod = by_name(objects(of_environment(environment)))["Deployment", f"dwh-{name}"]["spec"]["template"][
        "spec"
    ]
    seconds = {
        entry["name"]: int(entry["value"])
        for entry in pod["containers"][0]["env"]
        if entry["name"].endswith("_SECONDS")
    }
    assert pod["terminationGracePeriodSeconds"] >= seconds["DWH_DRAIN_SECONDS"] + 10
    assert seconds["DWH_VISIBILITY_SECONDS"] >= seconds["DWH_HANDLER_SECONDS"]


def test_time_outs_are_those_of_the_one_list(defaults, root):
    listed = json.loads((root / "deploy" / "consumers.json").read_text(encoding="utf-8"))["consumers"]
    for name, consumer in listed.items():
        stated = merged(defaults["defaults"], defaults["consumers"][name])["timeouts"]
        assert {**consumer["timeouts"], "visibility_seconds": consumer["queue"]["visibility_seconds"]} == {
            f"{key}_seconds": value for key, value in stated.items()
        }


def test_a_change_of_common_settings_rolls_every_consumer():
    before, after = (
        by_name(objects(of_environment("prod", **changes)))
        for changes in ({}, {"opensearch": {"waitForActiveShards": "all"}})
    )
    for name in CONSUMERS:
        checksums = {
            found["Deployment", f"dwh-{name}"]["spec"]["template"]["metadata"]["annotations"][
                "checksum/config"
            ]
            for found in (before, after)
        }
        assert len(checksums) == 2


def leaves(name, definitions, before=""):
    for key, value in definitions[name]["properties"].items():
        other = value.get("$ref", "").rpartition("/")[2]
        if other and "properties" in definitions[other]:
            yield from leaves(other, definitions, f"{before}{key}.")
        else:
            example = next(
                (name for name in SETTINGS if name.startswith(f"{before}{key}.")), f"{before}{key}"
            )
            yield example
