"""Version 1 of the workflow config, brought into the form of version 2.

Dotted paths start at the event, a flat file of job names is accepted, and what was never checked is a
warning instead of a refusal. `on_approval` keeps its meaning: missing means the rules of `on_success`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

ROOTS = ("job", "approval", "run")
_TOP = ("version", "description", "workflows", "defaults")
_BARE_NUMBER = re.compile(r"\.(\d+)(?=\.|$)")


def normalised(
    body: dict[str, Any], reserved: Sequence[str], compiles: Callable[[str], bool]
) -> tuple[dict[str, Any], list[str]]:
    """The file in the form of version 2, and what its author should know.

    Args:
        body: the file as read.
        reserved: parameter names that the system sets; mapping one is a warning here.
        compiles: whether an expression is valid JMESPath.
    """
    warnings: list[str] = []
    workflows = body.get("workflows")
    if workflows is None:
        workflows = {name: value for name, value in body.items() if name not in _TOP}
    if isinstance(workflows, dict):
        workflows = {
            job: _workflow(f"workflows.{job}", workflow, reserved, compiles, warnings)
            for job, workflow in workflows.items()
        }
    upgraded = {"version": "2.0", "description": body.get("description"), "workflows": workflows}
    return upgraded, warnings


def _workflow(
    path: str, workflow: Any, reserved: Sequence[str], compiles: Callable[[str], bool], warnings: list[str]
) -> Any:
    if not isinstance(workflow, dict):
        return workflow
    upgraded = dict(workflow)
    for name in ("on_success", "on_approval", "on_rejection", "on_failure"):
        if isinstance(upgraded.get(name), list):
            upgraded[name] = [
                _rule(f"{path}.{name}.{index}", rule, reserved, compiles, warnings)
                for index, rule in enumerate(upgraded[name])
            ]
    return upgraded


def _rule(
    path: str, rule: Any, reserved: Sequence[str], compiles: Callable[[str], bool], warnings: list[str]
) -> Any:
    if not isinstance(rule, dict) or not isinstance(rule.get("parameter_mapping"), dict):
        return rule
    mapping = {}
    for name, expression in rule["parameter_mapping"].items():
        if name in reserved:
            warnings.append(f"{path}.parameter_mapping.{name}: is set by the system, the mapping is left out")
        elif not isinstance(expression, str):
            mapping[name] = expression
        elif compiles(rooted(expression)):
            mapping[name] = rooted(expression)
        else:
            proposal = _BARE_NUMBER.sub(r"[\1]", expression)
            warnings.append(
                f"{path}.parameter_mapping.{name}: {expression} does not compile and is left out; "
                f"did you mean {proposal}?"
            )
    return {**rule, "parameter_mapping": mapping}


def rooted(path: str) -> str:
    """A version-1 path under `job`, unless it starts at a root of its own."""
    return path if path.split(".", 1)[0] in ROOTS else f"job.{path}"
