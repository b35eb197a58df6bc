"""A real one-node Kubernetes and the chart on it, driven by the commands that a person types."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

import containers
import image
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "cluster" / "cluster"
CHART = ROOT / "helm" / "dwh"
IMAGE, NEXT = "localhost/dwh:test", "localhost/dwh:next"
NAMESPACE, RELEASE = "warehouse", "dwh"
CONSUMERS = ("alerts", "approvals", "indexer", "orchestrator")
GO = (1, 26)


def lacking():
    """What a real cluster needs and this machine has not; None where it can be started."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return "a cluster of processes needs root on Debian or Ubuntu"
    if shutil.which("go") is None:
        return f"Go {GO[0]}.{GO[1]} or newer is missing: it builds Kubernetes from its modules"
    return containers.lacking()


class Cluster:
    """Processes of one node; `helm` and `kubectl` are the real ones."""

    def __init__(self):
        self._script("build")  # everything, KEDA too: at first minutes that belong to no test
        lines = self._script("up").splitlines()
        exported = next(line for line in lines if line.startswith("export ")).removeprefix("export ")
        given = dict(word.split("=", 1) for word in exported.split())
        given["PATH"] = given["PATH"].replace("$PATH", os.environ["PATH"])
        self.host_ip = given["CLUSTER_HOST_IP"]
        self.env = os.environ | given

    def load(self, name, *others):
        """Put the built image into the node's store, under other tags, too."""
        env = image.environment()
        archive = image.CACHE / "cluster.tar"
        image.archive(name, archive, env)
        self._script("load", str(archive))
        archive.unlink()
        for other in others:
            self.containerd("images", "tag", "--force", name, other)

    def forward(self, *ports):
        self._script("forward", *map(str, ports))

    def keda(self):
        self._script("keda")

    def down(self):
        self._script("down")

    def containerd(self, *arguments):
        folder = Path(self.env["KUBECONFIG"]).parent
        return run(["ctr", "-a", f"{folder}/containerd.sock", "-n", "k8s.io", *arguments], self.env).stdout

    def task_pid(self, container_id):
        """Process id, as this machine sees it, of a container's first process."""
        rows = (line.split() for line in self.containerd("tasks", "ls").splitlines()[1:])
        return next(int(row[1]) for row in rows if row[0] == container_id)

    def kubectl(self, *arguments, check=True, text=None):
        return run(["kubectl", *arguments], self.env, check=check, text=text)

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)

    def helm(self, *arguments, check=True):
        return run(["helm", *arguments], self.env, check=check)

    def _script(self, *arguments):
        # progress of the first build goes to the terminal
        answer = subprocess.run([SCRIPT, *arguments], stdout=subprocess.PIPE, text=True, check=False)
        assert answer.returncode == 0, f"cluster {' '.join(arguments)} ended with {answer.returncode}"
        return answer.stdout


class Release:
    """The chart in a namespace that enforces the restricted profile, beside a local system."""

    def __init__(self, cluster, system, folder, namespace=NAMESPACE):
        self.cluster, self.system, self.namespace = cluster, system, namespace
        self.overlay = folder / "overlay.yaml"
        self.overlay.write_text(yaml.safe_dump(self._overlay()))
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        self._apply({"kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
        keys = ("csrf-keys", "audit-key", "link-keys")
        values = {key: secrets.token_hex(32) for key in keys}
        values |= {"opensearch-password": "unused", "alert-secrets": "{}"}
        metadata = {"name": "dwh", "namespace": namespace}
        self._apply({"kind": "Secret", "metadata": metadata, "stringData": values})

    def upgrade(self, *arguments, environment="dev", wait=True, check=True):
        """`helm upgrade --install` as the README says it, with the overlay of addresses on top."""
        values = ["-f", str(CHART / f"values-{environment}.yaml"), "-f", str(self.overlay)]
        waiting = ["--wait", "--timeout", "150s"] if wait else []
        command = ["upgrade", "--install", RELEASE, str(CHART), "-n", self.namespace, *values, *waiting]
        return self.cluster.helm(*command, *arguments, check=check)

    def pods(self, consumer=None):
        found = self.cluster.get("pods", "-n", self.namespace, "-l", "app.kubernetes.io/name=dwh")["items"]
        consumers = CONSUMERS if consumer is None else (consumer,)
        return [pod for pod in found if pod["metadata"]["labels"]["app.kubernetes.io/component"] in consumers]

    def live_pods(self, consumer=None):
        return [pod for pod in self.pods(consumer) if "deletionTimestamp" not in pod["metadata"]]

    def uids(self, consumer=None):
        return {pod["metadata"]["uid"] for pod in self.live_pods(consumer)}

    def deployments(self):
        """Generation and replicas wanted and ready, by consumer."""
        found = self.cluster.get("deployments", "-n", self.namespace)["items"]
        return {
            item["metadata"]["name"].removeprefix(f"{RELEASE}-"): (
                item["metadata"]["generation"],
                item["spec"]["replicas"],
                item["status"].get("readyReplicas", 0),
            )
            for item in found
        }

    def ready(self):
        found = self.deployments()
        return set(found) == set(CONSUMERS) and all(ready == wanted for _, wanted, ready in found.values())

    def logs(self, component):
        selector = f"app.kubernetes.io/component={component}"
        answer = self.cluster.kubectl(
            *("logs", "-n", self.namespace, "-l", selector, "--tail=100", "--prefix"), check=False
        )
        return answer.stdout + answer.stderr

    def _apply(self, manifest):
        self.cluster.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", **manifest}))

    def _overlay(self):
        names, ports = self.system.names, self.system.ports
        aws = f"http://{self.cluster.host_ip}:{ports.aws}"

        def queue(short):
            return names.queue_url(short).replace(names.endpoint_url, aws)

        repository, _, tag = IMAGE.partition(":")
        return {
            "environment": "local",
            "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
            "aws": {"endpointUrl": aws},
            "opensearch": {
                "url": f"http://{self.cluster.host_ip}:{ports.opensearch}",
                "auth": "none",
                "replicas": 0,
                "waitForActiveShards": "1",
            },
            "topics": {
                "jobEvents": names.topic_arn("job-events"),
                "jobApprovals": names.topic_arn("job-approvals"),
                "alertsWarning": names.topic_arn("quality-alerts-warning"),
                "alertsCritical": names.topic_arn("quality-alerts-critical"),
            },
            "queues": {name: queue(name) for name in CONSUMERS} | {"mwaaTriggers": queue("mwaa-triggers")},
            "workflowConfigUri": f"s3://{names.name('code')}/orchestration/workflow_config.json",
            "auth": {"mode": "local"},
            "identity": {"mode": "none"},
            "podMonitor": {"enabled": False},
            "prometheusRule": {"enabled": False},
            "secrets": {"existingSecret": "dwh"},
            "extraEnv": {
                "AWS_ACCESS_KEY_ID": {"value": "local"},
                "AWS_SECRET_ACCESS_KEY": {"value": "local"},
            },
        }


class Endings:
    """Watches pods and keeps how each container ended: exit code, and seconds after the pod was told to."""

    def __init__(self, cluster, namespace):
        self.seen, self.all, self._told = {}, set(), {}
        watch = ["--watch", "--output-watch-events", "-o", "json"]
        command = ["kubectl", "get", "pods", "-n", namespace, *watch]
        self._process = subprocess.Popen(command, env=cluster.env, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        self._process.stdout.close()

    def _read(self):
        for line in self._process.stdout:  # one event a line
            self._note(json.loads(line)["object"])

    def _note(self, pod):
        metadata = pod["metadata"]
        self.all.add((metadata["labels"].get("app.kubernetes.io/component"), metadata["name"]))
        name, grace = metadata["name"], metadata.get("deletionGracePeriodSeconds", 0)
        if grace:  # the last word of the kubelet about a pod that has ended takes the grace back
            self._told[name] = (_time(metadata["deletionTimestamp"]) - timedelta(seconds=grace), grace)
        for status in pod["status"].get("containerStatuses", ()):
            ended = status["state"].get("terminated")
            if ended and name in self._told:
                told, grace = self._told[name]
                seconds = (_time(ended["finishedAt"]) - told).total_seconds()
                self.seen[name] = (ended["exitCode"], seconds, grace)


def run(command, env, *, check=True, text=None):
    answer = subprocess.run(command, env=env, input=text, capture_output=True, text=True, check=False)
    if check and answer.returncode != 0:
        sys.stderr.write(answer.stdout)
        raise AssertionError(f"{' '.join(command[:3])} ended with {answer.returncode}: {answer.stderr}")
    return answer


def _time(text):
    return datetime.fromisoformat(text)
