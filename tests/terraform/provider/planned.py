"""What a plan can know before anything exists: ARNs and addresses that follow from names.

Everything else that AWS decides is unknown, as it is with the real provider.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgpack
from policy_document import rendered

UNKNOWN = msgpack.ExtType(0, b"\0")
ACCOUNT = "123456789012"

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Region:
    """Where things are planned."""

    name: str

    def arn(self, service: str, resource: str) -> str:
        """An ARN of this region and account."""
        return f"arn:aws:{service}:{self.name}:{ACCOUNT}:{resource}"

    def zones(self) -> list[str]:
        """Names of its zones."""
        return [f"{self.name}{letter}" for letter in "abc"]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


Rule = Callable[[Values, Region], str]


def _arn(service: str, resource: str) -> Rule:
    return lambda values, region: region.arn(service, resource.format(**values))


_BUCKET_ARN: Rule = lambda values, _: f"arn:aws:s3:::{values['bucket']}"  # noqa: E731
_ROLE_ARN: Rule = lambda values, _: f"arn:aws:iam::{ACCOUNT}:role/{values['name']}"  # noqa: E731
_KEY_ARN: Rule = lambda values, region: region.arn("kms", f"key/{_slug(values['description'])}")  # noqa: E731
_QUEUE_URL: Rule = (  # noqa: E731
    lambda values, region: f"https://sqs.{region.name}.amazonaws.com/{ACCOUNT}/{values['name']}"
)
_NAME: Rule = lambda values, _: values["name"]  # noqa: E731

RULES: dict[str, dict[str, Rule]] = {
    "aws_sqs_queue": {"arn": _arn("sqs", "{name}"), "url": _QUEUE_URL, "id": _QUEUE_URL},
    "aws_sns_topic": {"arn": _arn("sns", "{name}"), "id": _arn("sns", "{name}")},
    "aws_s3_bucket": {"arn": _BUCKET_ARN, "id": lambda values, _: values["bucket"]},
    "aws_iam_role": {"arn": _ROLE_ARN, "id": _NAME},
    "aws_kms_key": {"arn": _KEY_ARN, "key_id": lambda values, _: _slug(values["description"])},
    "aws_opensearch_domain": {
        "arn": _arn("es", "domain/{domain_name}"),
        "endpoint": lambda values, region: f"vpc-{values['domain_name']}.{region.name}.es.amazonaws.com",
    },
    "aws_kinesis_firehose_delivery_stream": {"arn": _arn("firehose", "deliverystream/{name}")},
    "aws_cloudwatch_log_group": {"arn": _arn("logs", "log-group:{name}"), "id": _NAME},
    "aws_glue_job": {"arn": _arn("glue", "job/{name}"), "id": _NAME},
    "aws_ecs_cluster": {"arn": _arn("ecs", "cluster/{name}"), "id": _arn("ecs", "cluster/{name}")},
    "aws_ecs_task_definition": {
        "arn": _arn("ecs", "task-definition/{family}:1"),
        "arn_without_revision": _arn("ecs", "task-definition/{family}"),
    },
    "aws_secretsmanager_secret": {"arn": _arn("secretsmanager", "secret:{name}-AbCdEf")},
}


def planned(type_name: str, proposed: Values, computed: Iterable[str], region: Region) -> Values:
    """The state after an apply, as far as it can be told."""
    rules = RULES.get(type_name, {})
    found = dict(proposed)
    for name in computed:
        if found.get(name) is None:
            found[name] = _told(rules[name], proposed, region) if name in rules else UNKNOWN
    return found


def _told(rule: Rule, values: Values, region: Region) -> Any:
    told = rule(values, region)
    return UNKNOWN if "ExtType" in told else told


def data_source(type_name: str, config: Values, region: Region) -> Values:
    """What reading a data source answers.

    Raises:
        NotImplementedError: for one that nobody needed so far.
    """
    answers: dict[str, Callable[[], Values]] = {
        "aws_caller_identity": lambda: {"account_id": ACCOUNT, "id": ACCOUNT},
        "aws_partition": lambda: {"partition": "aws", "dns_suffix": "amazonaws.com", "id": "aws"},
        "aws_region": lambda: {"region": region.name, "name": region.name, "id": region.name},
        "aws_availability_zones": lambda: {"names": region.zones(), "id": region.name},
        "aws_iam_policy_document": lambda: {"json": rendered(config), "id": "document"},
    }
    if type_name not in answers:
        raise NotImplementedError(f"data source {type_name}: add it to planned.py")
    return {**config, **{name: value for name, value in answers[type_name]().items() if name in config}}
