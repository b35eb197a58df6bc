"""Turn `terraform output -json` into values of the chart.

Reads the outputs of an environment's root from standard input and prints YAML: what Terraform knows and
nothing else, so that it goes on top of `helm/dwh/values-<env>.yaml`, which holds sizes and switches.

    terraform output -json | helm_values.py --image REPOSITORY@sha256:… > values-terraform.yaml
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

import yaml

Values = dict[str, Any]
TOPICS = {
    "jobEvents": "job-events",
    "jobApprovals": "job-approvals",
    "alertsWarning": "quality-alerts-warning",
    "alertsCritical": "quality-alerts-critical",
}
CONSUMERS = ("indexer", "alerts", "orchestrator", "approvals")
RELEASE_PODS = ("bootstrap", "selftest")
"""Pods of the release itself: before it, and to try it."""
IMAGE = re.compile(r"(?P<repository>[^@]+?)(?::(?P<tag>[\w][\w.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")


class NotUsable(Exception):  # noqa: N818 - named for what happened
    """The input or an argument cannot be made values of; says why and what to do."""


def values(outputs: Values, *, image: str | None = None, secret: str = "dwh") -> Values:  # noqa: S107 - a name
    """The values that follow from a root's outputs.

    Raises:
        NotUsable: the outputs are not those of an applied environment.
    """
    known = _known(outputs)
    roles = known["role_arns"]
    made: Values = {
        "environment": known["environment"],
        "aws": {"region": known["region"]},
        "opensearch": {
            "url": known["opensearch_url"],
            "auth": "sigv4",
            "replicas": known["opensearch_replicas"],
            "waitForActiveShards": "2" if known["opensearch_replicas"] else "1",
        },
        "topics": {name: known["topic_arns"][topic] for name, topic in TOPICS.items()},
        "queues": {
            **{name: known["queue_urls"][name] for name in CONSUMERS},
            "mwaaTriggers": known["trigger_queue_url"],
        },
        "workflowConfigUri": known["workflow_config_uri"],
        "alertRoutesUri": known["alert_routes_uri"],
        "auditUri": known["audit_uri"],
        "console": {"url": known["console_url"]},
        "auth": {
            "mode": "oidc",
            "oidc": {
                "issuer": known["oidc"]["issuer"],
                "audience": known["oidc"]["audience"],
                "groupsClaim": known["oidc"]["groups_claim"],
                "tokenHeader": known["oidc"]["token_header"],
            },
        },
        "secrets": {"existingSecret": secret},
        "identity": {"mode": known["identity_mode"]},
        "consumers": {name: {"serviceAccount": {"roleArn": roles[name]}} for name in CONSUMERS},
        **{name: {"serviceAccount": {"roleArn": roles[name]}} for name in RELEASE_PODS},
    }
    return made if image is None else {**made, "image": _image(image)}


def _known(outputs: Values) -> Values:
    try:
        found = outputs["helm"]["value"]
    except (KeyError, TypeError):
        raise NotUsable(
            "there is no output `helm`: run `terraform output -json` in terraform/environments/<env>, "
            "after an apply"
        ) from None
    if not isinstance(found, dict):
        raise NotUsable("the output `helm` is not known yet: apply the environment first")
    return found


def _image(text: str) -> Values:
    found = IMAGE.fullmatch(text)
    if found is None or not (found["tag"] or found["digest"]):
        raise NotUsable(f"--image {text}: give REPOSITORY:TAG or REPOSITORY@sha256:DIGEST")
    return {name: value for name, value in found.groupdict().items() if value}


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", help="REPOSITORY:TAG or REPOSITORY@sha256:DIGEST")
    parser.add_argument("--secret", default="dwh", help="Secret with passwords and keys (default: dwh)")
    arguments = parser.parse_args()
    try:
        made = values(json.load(sys.stdin), image=arguments.image, secret=arguments.secret)
    except json.JSONDecodeError as error:
        print(f"helm_values: standard input is no JSON: {error}", file=sys.stderr)
        return 2
    except NotUsable as error:
        print(f"helm_values: {error}", file=sys.stderr)
        return 2
    except KeyError as error:
        print(f"helm_values: the output `helm` lacks {error}: apply with this version", file=sys.stderr)
        return 2
    print(yaml.safe_dump(made, sort_keys=False), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
