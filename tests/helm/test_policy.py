"""What a cluster's guards ask of every pod, and what the chart promises about it."""

from functools import reduce
from operator import getitem

import pytest
from rendering import CONSUMERS, ENVIRONMENTS, by_name, merged, objects, of_environment

HOOKS = {
    ("ServiceAccount", "dwh-bootstrap-hook"): -10,
    ("ConfigMap", "dwh-bootstrap-hook"): -10,
    ("Job", "dwh-bootstrap-hook"): -5,
}
PODS = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
NAMESPACE_NAME = "kubernetes.io/metadata.name"


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def found(request):
    return by_name(objects(of_environment(request.param)))


@pytest.fixture(scope="module")
def templates(found):
    """Labels and pod of every object that makes a pod, by that object."""
    made = {key: reduce(getitem, PODS[key[0]], value) for key, value in found.items() if key[0] in PODS}
    assert len(made) == len(CONSUMERS) + 3
    return made


@pytest.fixture(scope="module")
def pods(templates):
    return {key: template["spec"] for key, template in templates.items()}


@pytest.fixture(scope="module")
def containers(pods):
    assert not any("initContainers" in pod for pod in pods.values())
    return [container for pod in pods.values() for container in pod["containers"]]


def test_no_pod_runs_as_root_and_each_has_the_default_seccomp_profile(pods):
    for pod in pods.values():
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == security["runAsGroup"] == 10001
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}


def test_a_container_has_no_capability_and_writes_only_what_is_mounted(containers):
    for container in containers:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_no_pod_shares_anything_of_its_node(pods):
    for pod in pods.values():
        assert {"hostNetwork", "hostPID", "hostIPC"}.isdisjoint(pod)
        kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
        assert kinds == {"emptyDir", "secret"}
        assert all(volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if "emptyDir" in volume)
        assert not any("hostPort" in port for c in pod["containers"] for port in c.get("ports", ()))


def test_no_pod_has_a_token_or_the_addresses_of_other_services(pods, found):
    for pod in pods.values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
    accounts = [made for (kind, _), made in found.items() if kind == "ServiceAccount"]
    assert all(account["automountServiceAccountToken"] is False for account in accounts)


def test_memory_is_limited_to_what_is_requested_and_processor_time_is_not(containers):
    for container in containers:
        requests, limits = container["resources"]["requests"], container["resources"]["limits"]
        assert limits == {"memory": requests["memory"]}
        assert set(requests) == {"cpu", "memory"}


def test_every_workload_has_a_service_account_of_its_own_that_exists(pods, found):
    names = [pod["serviceAccountName"] for pod in pods.values()]
    assert len(names) == len(set(names))
    assert set(names) == {name for kind, name in found if kind == "ServiceAccount"}


def test_secrets_come_as_files_and_never_as_text(pods):
    for pod in pods.values():
        for container in pod["containers"]:
            named = {entry["name"]: entry.get("value") for entry in container["env"]}
            secret = {name for name in named if name.endswith("_FILE")}
            assert secret
            items = [
                item for volume in pod["volumes"] if "secret" in volume for item in volume["secret"]["items"]
            ]
            assert {named[name] for name in secret} == {f"/run/secrets/dwh/{item['path']}" for item in items}


def test_the_stores_password_is_asked_of_the_secret_only_where_the_store_asks_for_it():
    for auth, keys in (
        ("basic", {"opensearch-password", "link-keys", "alert-secrets", "csrf-keys", "audit-key"}),
        ("sigv4", {"link-keys", "alert-secrets", "csrf-keys", "audit-key"}),
    ):
        found = by_name(objects(of_environment("prod", opensearch={"auth": auth})))
        made = [
            reduce(getitem, PODS[kind], value)["spec"] for (kind, _), value in found.items() if kind in PODS
        ]
        sources = [volume["secret"] for pod in made for volume in pod["volumes"] if "secret" in volume]
        assert all(source["items"] for source in sources)  # without items it would be the whole Secret
        assert {item["key"] for source in sources for item in source["items"]} == keys


def test_another_key_of_the_password_holds_for_every_pod():
    renamed = {"secretKeys": {"DWH_OPENSEARCH_PASSWORD": "store"}}
    texts = [str(made) for made in objects(of_environment("prod", defaults=renamed))]
    assert sum("/run/secrets/dwh/store" in text for text in texts) == len(CONSUMERS) + 3
    assert not any("opensearch-password" in text for text in texts)


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_consumer_is_replaced_one_by_one_and_drained_one_by_one(found, name):
    deployment = found["Deployment", f"dwh-{name}"]["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert deployment["revisionHistoryLimit"] == 3
    budget = found["PodDisruptionBudget", f"dwh-{name}"]["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert budget["selector"] == deployment["selector"]


def test_a_consumer_is_spread_and_never_left_waiting_for_it(pods):
    for (kind, _), pod in pods.items():
        if kind == "Deployment":
            spread = {
                each["topologyKey"]: each["whenUnsatisfiable"] for each in pod["topologySpreadConstraints"]
            }
            assert spread == dict.fromkeys(
                ("topology.kubernetes.io/zone", "kubernetes.io/hostname"), "ScheduleAnyway"
            )


def test_liveness_asks_the_process_alone_and_readiness_what_it_needs(pods):
    for (kind, _), pod in pods.items():
        if kind == "Deployment":
            probes = {
                name: probe["httpGet"]["path"] for name, probe in probes_of(pod["containers"][0]).items()
            }
            assert probes == {
                "startupProbe": "/livez",
                "livenessProbe": "/livez",
                "readinessProbe": "/readyz",
            }


def test_everything_is_denied_but_what_is_listed(found):
    policy = found["NetworkPolicy", "dwh"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["podSelector"]["matchLabels"].keys() == {
        "app.kubernetes.io/name",
        "app.kubernetes.io/instance",
    }
    assert [(namespaces(rule), ports(rule)) for rule in policy["ingress"]] == [(["monitoring"], [8080])]
    assert [(target(rule), ports(rule)) for rule in policy["egress"]] == [
        (["kube-system"], [53, 53]),
        (["169.254.170.23/32"], [80]),
        (["10.0.0.0/8"], [443]),
    ]


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("http://collector.monitoring:4318", 4318),
        ("http://collector.monitoring:4318/", 4318),
        ("http://collector.monitoring", 80),
        ("https://collector.monitoring", 443),
    ],
)
def test_a_collector_of_traces_beside_prometheus_is_reached_at_its_port(endpoint, port):
    made = by_name(objects(merged(of_environment("prod"), {"otlpEndpoint": endpoint})))
    *_, last = made["NetworkPolicy", "dwh"]["spec"]["egress"]
    assert (target(last), ports(last)) == (["monitoring"], [port])
    assert made["ConfigMap", "dwh-settings"]["data"]["DWH_OTLP_ENDPOINT"] == endpoint


def test_the_ingress_reaches_the_console_and_no_other_pod(found):
    policies = {name: made["spec"] for (kind, name), made in found.items() if kind == "NetworkPolicy"}
    assert set(policies) == {"dwh", "dwh-approvals"}
    console = policies["dwh-approvals"]
    assert console["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "approvals"
    assert [(namespaces(rule), ports(rule)) for rule in console["ingress"]] == [(["ingress"], [8080])]
    assert "egress" not in console


def test_every_pod_is_under_the_policy(templates, found):
    wanted = found["NetworkPolicy", "dwh"]["spec"]["podSelector"]["matchLabels"]
    for template in templates.values():
        assert wanted.items() <= template["metadata"]["labels"].items()


def test_the_store_is_prepared_before_anything_of_a_release(found):
    weights = {
        key: int(made["metadata"]["annotations"]["helm.sh/hook-weight"])
        for key, made in found.items()
        if "pre-install" in made["metadata"].get("annotations", {}).get("helm.sh/hook", "")
    }
    assert weights == HOOKS
    for key in HOOKS:
        annotations = found[key]["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    assert found["Job", "dwh-bootstrap-hook"]["spec"]["ttlSecondsAfterFinished"] == 3600


def test_the_hook_needs_nothing_that_the_release_makes_later(pods, found):
    pod = pods["Job", "dwh-bootstrap-hook"]
    configs = [source["configMapRef"]["name"] for source in pod["containers"][0]["envFrom"]]
    assert {("ServiceAccount", pod["serviceAccountName"]), *(("ConfigMap", name) for name in configs)} <= set(
        HOOKS
    )
    assert found["ConfigMap", "dwh-bootstrap-hook"]["data"].keys() >= {
        "DWH_ENVIRONMENT",
        "DWH_OPENSEARCH_URL",
    }


def test_the_selftest_is_a_hook_of_helm_test_only(found):
    annotations = found["Pod", "dwh-selftest"]["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "test"


def probes_of(container):
    return {name: value for name, value in container.items() if name.endswith("Probe")}


def namespaces(rule):
    return [source["namespaceSelector"]["matchLabels"][NAMESPACE_NAME] for source in rule["from"]]


def target(rule):
    return [
        peer["ipBlock"]["cidr"]
        if "ipBlock" in peer
        else peer["namespaceSelector"]["matchLabels"][NAMESPACE_NAME]
        for peer in rule["to"]
    ]


def ports(rule):
    return [port["port"] for port in rule["ports"]]
