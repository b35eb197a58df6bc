"""Which tool a command calls, and whether that tool would understand it: files, options, keys, names.

`Checker` knows one tree and one rendered release. What a tool of its own kind would only learn from AWS or a
cluster (a pod's name, a revision) is written in capitals, or as an example, and is not looked at.
"""

import functools
import json
import re
import subprocess
import sys
from pathlib import Path

import aws_model
import typer
import yaml
from dwh_cli.__main__ import app
from dwh_cli.exits import Ended
from dwh_local.consumers import load_consumers
from typer.core import TyperGroup
from typer.main import get_command

PLAIN = {
    *("cat", "cp", "curl", "diff", "eval", "grep", "mkdir", "mv", "openssl", "printf", "sed", "test"),
    *(".venv/bin/python", "python3", "make"),
}
KUBECTL = {
    "annotate": set(),
    "apply": {"f"},
    "create": {"from", "from-file", "dry-run", "o"},
    "delete": set(),
    "drain": {"ignore-daemonsets", "delete-emptydir-data", "timeout"},
    "exec": set(),
    "get": {"l", "o"},
    "label": set(),
    "logs": {"l", "tail", "prefix", "previous"},
    "port-forward": set(),
    "rollout": {"timeout", "l"},
    "scale": {"replicas"},
    "uncordon": set(),
    "wait": {"l", "for", "timeout"},
}
KINDS = {
    "cronjob": "CronJob", "cronjobs": "CronJob", "deploy": "Deployment", "job": "Job", "secret": "Secret",
    "namespace": "Namespace", "pod": "Pod", "pods": "Pod", "scaledobject": "ScaledObject",
    "scaledobjects": "ScaledObject",
}  # fmt: skip
HELM = {
    "get": {"namespace"},
    "history": {"namespace"},
    "list": {"namespace"},
    "rollback": {"namespace", "wait", "timeout"},
    "test": {"namespace", "logs"},
    "uninstall": {"namespace", "wait"},
    "upgrade": {"install", "namespace", "f", "set", "wait", "timeout"},
}
TERRAFORM = {
    "apply": {"target"}, "init": {"backend"}, "output": {"json", "raw"}, "plan": {"out"}, "show": {"json"},
}  # fmt: skip
DOCKER = {
    "build": {"file", "build-arg", "tag"},
    "login": {"username", "password-stdin"},
    "push": set(),
}


class Checker:
    """Asserts of one command that it would be understood."""

    def __init__(self, root, release):
        """`release`: objects of the chart, rendered with an autoscaler so that each kind is there."""
        self.root = root
        self.names = {(made["kind"], made["metadata"]["name"]) for made in release}
        self.components = {
            made["metadata"]["labels"].get("app.kubernetes.io/component", "") for made in release
        }

    def check(self, words, functions=frozenset()):
        tool, *rest = words
        if tool in functions:
            return
        known = getattr(self, f"_{tool}", None)
        assert known is not None or tool in PLAIN, f"{tool}: no checker knows this tool"
        if known is not None:
            known(rest)
        elif tool.endswith(("python", "python3")):
            self._script(rest)
        elif tool == "make":
            self._targets(rest)

    def _aws(self, words):
        aws_model.check(words)
        names = Names(self.root)
        for place, known in names.by_place.items():
            for found in re.findall(place, " ".join(words)):
                assert found in known, f"aws {' '.join(words[:2])}: {found} is none of {sorted(known)}"

    def _dwh(self, words):
        command, name = get_command(app), "dwh"
        while isinstance(command, TyperGroup):
            assert words, f"{name}: which verb?"
            try:
                found = command.get_command(typer.Context(command), words[0])
            except Ended as ended:
                raise AssertionError(str(ended)) from None
            assert found is not None, f"{name} {words[0]}: there is no such verb"
            command, name, words = found, f"{name} {words[0]}", words[1:]
        try:
            command.make_context(name, list(words))
        except typer.BadParameter.__base__ as error:  # every wrong usage
            raise AssertionError(f"{name}: {error.format_message()}") from None

    def _kubectl(self, words):
        words, _, inside = _cut(words, "--")
        options, alone = _options(words)
        verb, *objects = alone
        if verb in ("create", "rollout"):
            verb_, objects = verb, objects[1:]
            assert alone[1] in {"job", "namespace", "secret", "status", "restart", "undo"}, (
                f"kubectl {verb_} {alone[1]}"
            )
        assert verb in KUBECTL, f"kubectl {verb}: not known here"
        unknown = set(options) - KUBECTL[verb] - {"n"}
        assert not unknown, f"kubectl {verb}: no option {sorted(unknown)}"
        for source in options.get("from", []):
            self._object(verb, source)
            self.names.add((KINDS[alone[1]], objects[0]))
        for object_ in objects:
            self._object(verb, object_)
        for label in options.get("l", []):
            component = re.fullmatch(r"app\.kubernetes\.io/component=(.+)", label)
            assert label == "app.kubernetes.io/instance=dwh" or component, f"kubectl -l {label}"
            assert component is None or component[1] in self.components, f"no pod has the label {label}"
        if inside:
            self.check(inside)

    def _object(self, verb, text):
        kind, slash, name = text.partition("/")
        if verb == "get" and not slash:
            for one in kind.split(","):
                assert one in KINDS, f"kubectl get {one}: no such kind here"
        elif slash and kind in KINDS:
            assert (KINDS[kind], name) in self.names, f"the chart makes no {KINDS[kind]} {name}"

    def _helm(self, words):
        options, alone = _options(words)
        verb = alone[0]
        assert verb in HELM, f"helm {verb}: not known here"
        assert not set(options) - HELM[verb], f"helm {verb}: no option {sorted(set(options) - HELM[verb])}"
        if verb == "get":
            assert alone[1] in {"manifest", "values", "notes"}, f"helm get {alone[1]}"
        elif len(alone) > 1:
            assert alone[1] == "dwh", f"helm {verb}: the release is dwh"
        if verb == "upgrade":
            self.render(options.get("f", []), options.get("set", []), alone[2])

    def render(self, files, settings, chart="helm/dwh"):
        """Values that the chart takes: what a guide installs with can be rendered."""
        command = ["helm", "template", "dwh", chart, "--namespace", "dwh"]
        command += [part for file in files for part in ("-f", file)]
        command += [part for setting in settings for part in ("--set", setting)]
        answer = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, f"helm: {answer.stderr}"
        return answer.stdout

    def _terraform(self, words):
        where = [word.removeprefix("-chdir=") for word in words if word.startswith("-chdir=")]
        options, alone = _options([word for word in words if not word.startswith("-chdir=")])
        verb, *rest = alone
        assert verb in TERRAFORM, f"terraform {verb}: not known here"
        assert not set(options) - TERRAFORM[verb], f"terraform {verb}: no option {sorted(options)}"
        assert where, "terraform: in which folder?"
        folder = self.root / where[0]
        assert (folder / "main.tf").is_file(), f"terraform: {where[0]} is no environment"
        if verb == "output":
            declared = set(re.findall(r'^output "(\w+)"', (folder / "outputs.tf").read_text(), re.MULTILINE))
            name = (options.get("raw") or rest or [None])[0]
            assert name is None or name in declared, f"terraform output {name}: none of {sorted(declared)}"
        for target in options.get("target", []):
            self._target(target)

    def _target(self, address):
        text = "".join(path.read_text() for path in (self.root / "terraform").rglob("*.tf"))
        parts = re.sub(r"\[[^]]*\]", "", address).split(".")
        for kind, name in zip(parts[::2], parts[1::2], strict=True):
            block = f'module "{name}"' if kind == "module" else f'resource "{kind}" "{name}"'
            assert block in text, f"terraform: nothing is called {kind}.{name}"

    def _docker(self, words):
        options, alone = _options(words)
        verb = alone[0]
        assert verb in DOCKER, f"docker {verb}: not known here"
        assert not set(options) - DOCKER[verb], f"docker {verb}: no option {sorted(options)}"
        for file in options.get("file", []):
            assert (self.root / file).is_file(), f"docker: there is no {file}"
        for argument in options.get("build-arg", []):
            name = argument.partition("=")[0]
            assert f"ARG {name}=" in (self.root / "Containerfile").read_text(), f"docker: no argument {name}"

    def _git(self, words):
        assert words[0] in {"fetch", "diff", "log", "rev-parse"}, f"git {words[0]}: not known here"
        for path in _cut(words, "--")[2]:
            assert (self.root / path).exists(), f"git: there is no {path}"

    def _script(self, words):
        if words[0] == "-c":
            compile(words[1], "guide", "exec")
            return
        script = self.root / words[0]
        assert script.is_file(), f"there is no {words[0]}"
        told = subprocess.run(
            [sys.executable, str(script), "--help"], cwd=self.root, capture_output=True, text=True, check=True
        ).stdout
        for word in words[1:]:
            if word.startswith("--"):
                assert word.partition("=")[0] in told, f"{words[0]}: no option {word}"

    def _targets(self, words):
        declared = re.findall(r"^([\w-]+):", (self.root / "Makefile").read_text(), re.MULTILINE)
        assert set(words) <= set(declared), f"make: no target {words}"


class Names:
    """What exists in an environment, by the place in a command that must name it."""

    def __init__(self, root):
        listed = load_consumers(root / "deploy" / "consumers.json")
        consumers = set(listed.consumers)
        queues = {f"{name}{end}" for name in (*consumers, *listed.queues) for end in ("", "-dlq")}
        jobs = {path.stem for path in (root / "jobs" / "config").glob("*.json")}
        environment = r"dwh-(?:dev|staging|prod)"
        self.by_place = {
            rf"--queue-name {environment}-(\S+)": queues | {"undelivered"},
            rf"--topic-arn \S+:{environment}-(\S+)": set(listed.topics),
            rf"--job-name {environment}-(\S+)": jobs,
            rf"--task-definition {environment}-(\S+)": consumers | {"bootstrap"},
            r"--service (\S+)": consumers,
            rf"s3://{environment}-([\w-]+)": set(listed.buckets) | {"journal"},
            rf"--bucket {environment}-(\S+)": set(listed.buckets) | {"terraform-state"},
            r"tail /dwh/\w+/(\S+)": consumers | {"bootstrap", "journal"},
            r"create-service-linked-role --aws-service-name (\S+)": {"opensearchservice.amazonaws.com"},
        }


def outputs_of(root, environment):
    """What `terraform output -json` may say of an environment: each value that its root declares, made up."""
    declared = (root / "terraform" / "environments" / environment / "outputs.tf").read_text()
    helm = declared[declared.index('output "helm"') :]
    keys = set(re.findall(r"^    (\w+)\s+=", helm, re.MULTILINE))
    names = Names(root)
    consumers = names.by_place[r"--service (\S+)"]
    here = "eu-central-1:111122223333"
    topics = next(known for place, known in names.by_place.items() if place.startswith("--topic-arn"))
    made = {
        "environment": environment,
        "region": "eu-central-1",
        "account_id": "111122223333",
        "opensearch_url": f"https://vpc-dwh-{environment}.eu-central-1.es.amazonaws.com",
        "opensearch_replicas": 2,
        "topic_arns": {topic: f"arn:aws:sns:{here}:dwh-{environment}-{topic}" for topic in topics},
        "queue_urls": {name: f"https://sqs.example.com/{name}" for name in consumers},
        "trigger_queue_url": "https://sqs.example.com/mwaa-triggers",
        "role_arns": {
            name: f"arn:aws:iam::111122223333:role/dwh-{environment}-{name}"
            for name in (*consumers, "bootstrap", "selftest")
        },
        "workflow_config_uri": f"s3://dwh-{environment}-code/orchestration/workflow_config.json",
        "alert_routes_uri": f"s3://dwh-{environment}-code/orchestration/alert_routes.json",
        "audit_uri": f"s3://dwh-{environment}-journal/digests",
        "console_url": "https://dwh.example.com",
        "oidc": {
            "issuer": "https://login.example.com",
            "audience": "dwh",
            "groups_claim": "groups",
            "token_header": "authorization",
        },
        "identity_mode": "podIdentity",
    }
    assert set(made) == keys, f"the output helm has changed: {sorted(set(made) ^ keys)}"
    return json.dumps({"helm": {"value": made}})


def objects(text):
    """Objects of a rendered chart."""
    return [made for made in yaml.safe_load_all(text) if made]


def _options(words):
    """Options (by name without dashes) with their values, and what is none: `-f a --wait x=y`."""
    found, alone, waiting = {}, [], None
    flags = {
        *(
            "install",
            "wait",
            "logs",
            "prefix",
            "previous",
            "ignore-daemonsets",
            "delete-emptydir-data",
            "json",
        ),
        "password-stdin",
    }
    for word in words:
        name, given, value = word.lstrip("-").partition("=")
        if word.startswith("-") and len(word) > 1 and not word[1:].isdigit():
            found.setdefault(name, [])
            waiting = None if given or name in flags else name
            if given:
                found[name].append(value)
        elif waiting:
            found[waiting].append(word)
            waiting = None
        else:
            alone.append(word)
    return found, alone


def _cut(words, at):
    if at not in words:
        return words, None, []
    place = words.index(at)
    return words[:place], at, words[place + 1 :]


@functools.cache
def runbooks(root):
    """Names of the pages of alerts."""
    return {path.stem for path in Path(root, "docs", "runbooks").glob("*.md")}
