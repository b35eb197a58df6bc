"""A Terraform plan as tests ask about it: resources by type, policies as statements."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Values = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """The JSON that `terraform show -json` makes of a plan."""

    shown: Values

    def of(self, kind: str) -> dict[str, Values]:
        """Planned resources of one type: values by address."""
        return {
            found["address"]: found["values"]
            for found in _resources(self.shown["planned_values"]["root_module"])
            if found["mode"] == "managed" and found["type"] == kind
        }

    def names(self, kind: str, attribute: str = "name") -> set[str]:
        """Values of one attribute of all resources of a type."""
        return {values[attribute] for values in self.of(kind).values()}

    def outputs(self) -> Values:
        """The root's outputs, as far as a plan knows them."""
        return {name: found.get("value") for name, found in self.shown["planned_values"]["outputs"].items()}

    def documents(self) -> dict[str, list[Values]]:
        """Statements of every policy document by address, also of those that only an apply would render."""
        roots = [
            self.shown["planned_values"]["root_module"],
            self.shown["prior_state"]["values"]["root_module"],
        ]
        return {
            found["address"]: found["values"]["statement"]
            for root in roots
            for found in _resources(root)
            if found["type"] == "aws_iam_policy_document"
        }

    def granted(self) -> dict[str, set[tuple[str, str]]]:
        """What each role may do: pairs of action and resource, by name of the role."""
        return {
            values["role"]: {
                (action, resource)
                for statement in json.loads(values["policy"])["Statement"]
                for action in statement["Action"]
                for resource in statement["Resource"]
            }
            for values in self.of("aws_iam_role_policy").values()
            if values.get("policy") is not None
        }


def _resources(module: Values) -> Iterator[Values]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _resources(child)
