"""The chart on a real Kubernetes, with the project's image: what an SRE does to a release in its life.

Tests run in the order they stand in: the release is installed once, lived in, and uninstalled at the end.
"""

import json
import os
import signal
import subprocess
import time

import kube
import pytest
import yaml
from dwh_local import topology
from dwh_local.aws import client
from dwh_local.demo.observer import Observer
from dwh_local.demo.steps import Steps
from dwh_local.demo.story import Story
from dwh_local.ports import is_busy
from dwh_local.programs import AIRFLOW
from dwh_local.progress import Progress
from dwh_local.supervise import Supervisor
from trace_shape import DEMO_TRACES, shape
from waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900, func_only=True)]
KEDA = {"consumers": {"alerts": {"scaling": {"max": 3, "queueLength": 20, "stabilizationSeconds": 30}}}}
INSTALL_SECONDS, EVENTS_PER_SECOND = 60, 50


def test_install_bootstraps_once_and_four_deployments_are_ready_in_a_restricted_namespace(
    release, endings, record_property
):
    began = time.monotonic()
    answer = release.upgrade()
    seconds = time.monotonic() - began
    record_property("install_seconds", round(seconds, 1))
    assert "Warning" not in answer.stderr
    assert release.ready()
    assert [component for component, _ in endings.all if component == "bootstrap-hook"] == ["bootstrap-hook"]
    assert seconds < INSTALL_SECONDS


def test_the_demo_goes_through_the_pods_and_its_traces_are_those_of_processes(cluster, release, system, dwh):
    forward = ["port-forward", "-n", release.namespace, "svc/dwh-approvals", f"{system.ports.approvals}:80"]
    with subprocess.Popen(["kubectl", *forward], env=cluster.env, stdout=subprocess.DEVNULL) as forwarding:
        until(lambda: is_busy(system.ports.approvals), "the forwarded console")
        with Observer(system) as observer:
            observer.subscribe()
            story = Story(system, Steps(Progress(print), seconds=150), observer, 1)
            story.tell()
        forwarding.terminate()
    found = {run.colour: shape(json.loads(dwh("trace", run.run_id, "--json").stdout)) for run in story.runs}
    assert found == json.loads(DEMO_TRACES.read_text())


def test_helm_test_passes_and_says_why_it_fails_without_the_queue(cluster, release, system):
    tried = cluster.helm("test", kube.RELEASE, "-n", release.namespace)
    assert "Phase:          Succeeded" in tried.stdout
    names = system.names
    sns = client("sns", names.endpoint_url)
    for queue in kube.CONSUMERS:  # all four: the others wait for events that the indexer has not stored
        topology.unsubscribe(sns, names.topic_arn("job-events"), names.queue_arn(queue))
    failed = cluster.helm("test", kube.RELEASE, "-n", release.namespace, check=False)
    topology.apply(names.endpoint_url, "local")
    assert failed.returncode != 0
    assert "not stored within 30 s" in release.logs("selftest")


def test_an_upgrade_and_a_rollback_under_load_lose_and_double_nothing(
    cluster, release, load, endings, system, record_property
):
    Supervisor(system.place).stop(AIRFLOW)  # from here on triggers are read from their queue
    old = release.uids()
    load.begin(EVENTS_PER_SECOND)
    release.upgrade("--set", "image.tag=next")
    upgraded = release.uids()
    cluster.helm("rollback", kube.RELEASE, "-n", release.namespace, "--wait", "--timeout", "150s")
    load.end()
    until(load.settled, "every queue empty", seconds=240)
    record_property("events", len(load.sent))
    assert not old & upgraded
    assert not upgraded & release.uids()
    until(lambda: len(endings.seen) >= 8, "eight pods ended", seconds=60)
    assert {code for code, _, _ in endings.seen.values()} == {0}, endings.seen
    assert all(seconds < grace for _, seconds, grace in endings.seen.values()), endings.seen
    assert load.lost_or_doubled() == []


def test_pods_deleted_by_force_and_processes_killed_lose_and_double_nothing(cluster, release, load, system):
    load.begin(EVENTS_PER_SECOND)
    until(lambda: len(load.sent) > 100, "a hundred events sent")
    for consumer in kube.CONSUMERS:
        [pod] = release.live_pods(consumer)
        name = pod["metadata"]["name"]
        cluster.kubectl("delete", "pod", name, "-n", release.namespace, "--grace-period=0", "--force")
    until(release.ready, "replacements ready", seconds=90)
    for consumer in kube.CONSUMERS:
        [pod] = release.live_pods(consumer)
        container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
        os.kill(cluster.task_pid(container), signal.SIGKILL)
    until(lambda: len(restarted(release)) == len(kube.CONSUMERS), "containers started again", seconds=90)
    until(release.ready, "all ready again", seconds=90)
    load.end()
    until(load.settled, "every queue empty", seconds=240)
    assert load.lost_or_doubled() == []


def test_settings_of_one_consumer_leave_the_other_three_alone(release):
    before, pods = release.deployments(), release.uids()
    release.upgrade("--set", "consumers.alerts.logLevel=DEBUG", "--set", "consumers.alerts.replicas=2")
    after = release.deployments()
    others = [name for name in kube.CONSUMERS if name != "alerts"]
    assert {name: after[name] for name in others} == {name: before[name] for name in others}
    assert after["alerts"][1:] == (2, 2)
    assert {uid for name in others for uid in release.uids(name)} <= pods
    release.upgrade()


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_values_of_each_environment_are_accepted_and_every_pod_is_scheduled(
    cluster, system, tmp_path, environment
):
    other = kube.Release(cluster, system, tmp_path, namespace=f"only-{environment}")
    answer = other.upgrade(
        "--no-hooks", "--set", "autoscaling.engine=none", environment=environment, wait=False
    )
    assert "Warning" not in answer.stderr
    until(lambda: len(other.live_pods()) >= len(kube.CONSUMERS), "pods made")
    until(lambda: all(map(scheduled_or_full, other.live_pods())), "pods scheduled")
    cluster.helm("uninstall", kube.RELEASE, "-n", other.namespace, "--no-hooks", "--wait")
    cluster.kubectl("delete", "namespace", other.namespace, "--wait=false")


def test_a_failing_bootstrap_fails_the_release_keeps_old_pods_and_the_next_try_heals(release, endings):
    old = release.uids()
    failed = release.upgrade(
        *("--set", "opensearch.url=http://198.18.0.1:9", "--set", "bootstrap.deadlineSeconds=40"), check=False
    )
    assert failed.returncode != 0
    assert "bootstrap-hook" in failed.stderr
    assert "http://198.18.0.1:9" in release.logs("bootstrap-hook")
    assert release.uids() == old
    assert release.ready()
    release.upgrade()
    assert release.ready()


def test_keda_scales_one_consumer_to_its_maximum_and_back_and_nothing_is_lost(
    cluster, release, load, tmp_path
):
    cluster.keda()
    secret = ("AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local")
    cluster.kubectl(
        *("create", "secret", "generic", "keda-aws", "-n", release.namespace),
        *(f"--from-literal={pair}" for pair in secret),
    )
    most = {}

    def watch():
        for name, (_, wanted, _ready) in release.deployments().items():
            most[name] = max(most.get(name, 0), wanted)
        return most

    cluster.kubectl("scale", "deployment/dwh-alerts", "-n", release.namespace, "--replicas=0")
    until(lambda: not release.pods("alerts"), "alerts stopped")
    load.send(2000)
    others = [name for name in kube.CONSUMERS if name != "alerts"]
    until(lambda: not any(map(load.waiting, others)), "the other three caught up", seconds=240)
    assert load.waiting("alerts") == 2000
    overlay = tmp_path / "keda.yaml"
    overlay.write_text(yaml.safe_dump(KEDA | {"autoscaling": keda_settings(release.system)}))
    release.upgrade("-f", str(overlay))
    until(lambda: watch()["alerts"] == 3, "alerts at its maximum", seconds=180)
    until(lambda: watch() and load.settled(), "every queue empty", seconds=600)
    until(lambda: watch() and release.deployments()["alerts"][1] == 1, "alerts back at one", seconds=240)
    assert {name: most[name] for name in others} == dict.fromkeys(others, 1)
    assert load.lost_or_doubled() == []


def test_uninstall_leaves_what_the_readme_says_people_s_secrets_and_the_pod_of_the_last_test(
    cluster, release
):
    cluster.helm("uninstall", kube.RELEASE, "-n", release.namespace, "--wait")
    secrets, of_the_test = {"dwh", "keda-aws"}, {"dwh-selftest"}
    until(lambda: left(cluster, release) - of_the_test == secrets, f"only {secrets | of_the_test} left")


def keda_settings(system):
    return {
        "engine": "keda",
        "keda": {
            "pollingInterval": 5,
            "awsEndpoint": system.names.endpoint_url,
            "credentialsSecret": "keda-aws",
        },
    }


def left(cluster, release):
    kinds = "deployments,jobs,cronjobs,pods,services,configmaps,serviceaccounts,secrets,scaledobjects"
    kinds += ",networkpolicies,poddisruptionbudgets,horizontalpodautoscalers"
    found = {item["metadata"]["name"] for item in cluster.get(kinds, "-n", release.namespace)["items"]}
    return found - {"default", "kube-root-ca.crt"}


def restarted(release):
    return {
        pod["metadata"]["name"]
        for pod in release.live_pods()
        if any(status["restartCount"] for status in pod["status"].get("containerStatuses", ()))
    }


def scheduled_or_full(pod):
    """Whether a pod has its node, or waits only for a node bigger than this machine."""
    conditions = {c["type"]: c for c in pod["status"].get("conditions", ())}
    found = conditions.get("PodScheduled", {})
    return found.get("status") == "True" or "Insufficient" in found.get("message", "")
