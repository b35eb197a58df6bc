"""Version 1 of the workflow config, brought into the form of version 2.

Dotted paths start at the event, a flat file of job names is accepted, and what was never checked is a
warning instead of a refusal. `on_approval` keeps its meaning: missing means the rules of `on_success`.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

ROOTS = ("job", "approval", "run")
_TOP = ("version", "description", "workflows", "defaults")
_BARE_NUMBER = re.compile(r"\.(\d+)(?=\.|$)")


def normalised(
    body: dict[str, Any],
    reserved: Collection[str],
    compiles: Callable[[str], bool],
    known: Mapping[str, Collection[str]],
) -> tuple[dict[str, Any], list[str]]:
    """The file in the form of version 2, and what its author should know.

    Args:
        body: the file as read.
        reserved: parameter names that the system sets; mapping one is a warning here.
        compiles: whether an expression is valid JMESPath.
        known: the keys of a `workflow` and of a `rule`; others are left out.
    """
    upgrade = _Upgrade(reserved, compiles, known, [])
    workflows = body.get("workflows")
    if workflows is None:
        workflows = {name: value for name, value in body.items() if name not in _TOP}
    else:
        body = upgrade.known_part("", body, _TOP)
    if isinstance(workflows, dict):
        workflows = {job: upgrade.workflow(f"workflows.{job}", it) for job, it in workflows.items()}
    top: dict[str, Any] = {name: body[name] for name in ("description", "defaults") if name in body}
    return {**top, "version": "2.0", "workflows": workflows}, upgrade.warnings


@dataclass(frozen=True)
class _Upgrade:
    reserved: Collection[str]
    compiles: Callable[[str], bool]
    known: Mapping[str, Collection[str]]
    warnings: list[str]

    def known_part(self, path: str, part: dict[str, Any], known: Collection[str]) -> dict[str, Any]:
        for name in sorted(part.keys() - known):
            self.warnings.append(f"{f'{path}.{name}'.lstrip('.')}: unknown, is left out")
        return {name: value for name, value in part.items() if name in known}

    def workflow(self, path: str, workflow: Any) -> Any:
        if not isinstance(workflow, dict):
            return workflow
        upgraded = self.known_part(path, workflow, self.known["workflow"])
        for name in ("on_success", "on_approval", "on_rejection", "on_failure"):
            if isinstance(upgraded.get(name), list):
                rules = enumerate(upgraded[name])
                upgraded[name] = [self.rule(f"{path}.{name}.{index}", rule) for index, rule in rules]
        return upgraded

    def rule(self, path: str, rule: Any) -> Any:
        if not isinstance(rule, dict):
            return rule
        upgraded = self.known_part(path, rule, self.known["rule"])
        for name in ("conf", "parameter_mapping"):
            if isinstance(upgraded.get(name), dict):
                upgraded[name] = self.unreserved(f"{path}.{name}", upgraded[name])
        mapping = upgraded.get("parameter_mapping")
        if isinstance(mapping, dict):
            upgraded["parameter_mapping"] = self.mapping(f"{path}.parameter_mapping", mapping)
        return upgraded

    def unreserved(self, path: str, values: dict[str, Any]) -> dict[str, Any]:
        for name in values:
            if name in self.reserved:
                self.warnings.append(f"{path}.{name}: is set by the system, ours is kept")
        return {name: value for name, value in values.items() if name not in self.reserved}

    def mapping(self, path: str, mapping: dict[str, Any]) -> dict[str, Any]:
        upgraded = {}
        for name, expression in mapping.items():
            if not isinstance(expression, str):
                upgraded[name] = expression
            elif self.compiles(rooted(expression)):
                upgraded[name] = rooted(expression)
            else:
                proposal = _BARE_NUMBER.sub(r"[\1]", expression)
                better = f"; did you mean {proposal}?" if proposal != expression else ""
                self.warnings.append(f"{path}.{name}: {expression} does not compile and is left out{better}")
        return upgraded


def rooted(path: str) -> str:
    """A version-1 path under `job`, unless it starts at a root of its own."""
    return path if path.split(".", 1)[0] in ROOTS else f"job.{path}"
