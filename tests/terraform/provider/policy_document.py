"""IAM policy documents rendered from the `statement` blocks of the data source, as the provider does."""

from __future__ import annotations

import json
from typing import Any

Values = dict[str, Any]


def rendered(config: Values) -> str:
    """The document as JSON text."""
    statements = [_statement(statement) for statement in config.get("statement") or []]
    return json.dumps({"Version": config.get("version") or "2012-10-17", "Statement": statements}, indent=2)


def _statement(found: Values) -> Values:
    statement = {
        "Sid": found.get("sid"),
        "Effect": found.get("effect") or "Allow",
        "Action": sorted(found.get("actions") or ()),
        "NotAction": sorted(found.get("not_actions") or ()),
        "Resource": sorted(found.get("resources") or ()),
        "NotResource": sorted(found.get("not_resources") or ()),
        "Principal": _principals(found.get("principals") or ()),
        "NotPrincipal": _principals(found.get("not_principals") or ()),
        "Condition": _conditions(found.get("condition") or ()),
    }
    return {name: value for name, value in statement.items() if value}


def _principals(found: Any) -> Values:
    by_type: dict[str, list[str]] = {}
    for principal in found:
        by_type.setdefault(principal["type"], []).extend(principal["identifiers"])
    return {kind: sorted(names) for kind, names in by_type.items()}


def _conditions(found: Any) -> Values:
    by_test: dict[str, dict[str, list[str]]] = {}
    for condition in found:
        by_test.setdefault(condition["test"], {})[condition["variable"]] = list(condition["values"])
    return by_test
