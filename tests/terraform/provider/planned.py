"""What a plan can know before anything exists: ARNs and addresses that follow from names.

Everything else that AWS decides is unknown, as it is with the real provider.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgpack
from policy_document import rendered

UNKNOWN = msgpack.ExtType(0, b"\0")
ACCOUNT = "123456789012"
REGION = "eu-central-1"

Values = dict[str, Any]
Rule = Callable[[Values], str]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _pattern(template: str) -> Rule:
    return lambda values: template.format(**values)


def _arn(service: str, resource: str) -> Rule:
    return _pattern(f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")


def _key_arn(values: Values) -> str:
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{_slug(values['description'])}"


_QUEUE_URL = _pattern(f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{{name}}")
_NAME = _pattern("{name}")

RULES: dict[str, dict[str, Rule]] = {
    "aws_sqs_queue": {"arn": _arn("sqs", "{name}"), "url": _QUEUE_URL, "id": _QUEUE_URL},
    "aws_sns_topic": {"arn": _arn("sns", "{name}"), "id": _arn("sns", "{name}")},
    "aws_s3_bucket": {"arn": _pattern("arn:aws:s3:::{bucket}"), "id": _pattern("{bucket}")},
    "aws_iam_role": {"arn": _pattern(f"arn:aws:iam::{ACCOUNT}:role/{{name}}"), "id": _NAME},
    "aws_kms_key": {"arn": _key_arn, "key_id": lambda values: _slug(values["description"])},
    "aws_opensearch_domain": {
        "arn": _arn("es", "domain/{domain_name}"),
        "endpoint": _pattern(f"vpc-{{domain_name}}.{REGION}.es.amazonaws.com"),
    },
    "aws_kinesis_firehose_delivery_stream": {"arn": _arn("firehose", "deliverystream/{name}")},
    "aws_cloudwatch_log_group": {"arn": _arn("logs", "log-group:{name}"), "id": _NAME},
    "aws_glue_job": {"arn": _arn("glue", "job/{name}"), "id": _NAME},
    "aws_ecs_cluster": {"arn": _arn("ecs", "cluster/{name}"), "id": _arn("ecs", "cluster/{name}")},
    "aws_ecs_task_definition": {
        "arn": _arn("ecs", "task-definition/{family}:1"),
        "arn_without_revision": _arn("ecs", "task-definition/{family}"),
    },
}

DATA_SOURCES: dict[str, Values] = {
    "aws_caller_identity": {"account_id": ACCOUNT, "id": ACCOUNT},
    "aws_partition": {"partition": "aws", "dns_suffix": "amazonaws.com", "id": "aws"},
    "aws_region": {"region": REGION, "name": REGION, "id": REGION},
}


def planned(type_name: str, proposed: Values, computed: Iterable[str]) -> Values:
    """The state after an apply, as far as it can be told."""
    rules = RULES.get(type_name, {})
    found = dict(proposed)
    for name in computed:
        if found.get(name) is None:
            found[name] = _told(rules[name], proposed) if name in rules else UNKNOWN
    return found


def _told(rule: Rule, values: Values) -> Any:
    told = rule(values)
    return UNKNOWN if "ExtType" in told else told


def data_source(type_name: str, config: Values) -> Values:
    """What reading a data source answers.

    Raises:
        KeyError: for one that nobody needed so far; add it to DATA_SOURCES.
    """
    if type_name == "aws_iam_policy_document":
        return {**config, "json": rendered(config), "id": "document"}
    return {**config, **DATA_SOURCES[type_name]}
