"""Write the table of values into the chart's page, from the comments of values.yaml.

A comment is `## @param dotted.name what it is`, under a `## @section Title`. Every value has one comment: its
own, or that of the map it stands in.

    helm_readme.py helm/dwh
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

COMMENT = re.compile(r"^ *## @(?P<kind>section|param) (?P<text>.*\S)", re.MULTILINE)
BEGIN, END = "<!-- values: written by `make generate` -->", "<!-- end of values -->"


class Undescribed(Exception):  # noqa: N818 - named for what happened
    """Comments and values differ, or the page has no place for the table; says which."""


def table(values_text: str) -> str:
    """The table of each section, in the order of the file.

    Raises:
        Undescribed: a value without a comment, a comment without a value, a comment before any section.
    """
    values = yaml.safe_load(values_text)
    described: list[str] = []
    lines: list[str] = []
    for found in COMMENT.finditer(values_text):
        if found["kind"] == "section":
            lines += ["", f"### {found['text']}", "", "| value | default | what it is |", "|---|---|---|"]
            continue
        name, _, what = found["text"].partition(" ")
        if not (lines and what):
            raise Undescribed(f"{name}: a comment needs a section above it and a text")
        described.append(name)
        lines.append(f"| `{name}` | `{_default(values, name)}` | {what} |")
    if bare := [name for name in _leaves(values, set(described)) if name not in described]:
        raise Undescribed(f"no `## @param` for {', '.join(bare)}")
    if len(described) != len(set(described)):
        raise Undescribed(
            f"described twice: {', '.join(sorted({n for n in described if described.count(n) > 1}))}"
        )
    return "\n".join(lines).strip() + "\n"


def page(text: str, values_text: str) -> str:
    """The page with the table between its marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise Undescribed(f"README.md lacks the lines {BEGIN} and {END}")
    return f"{before}{begin}\n\n{table(values_text)}\n{end}{after}"


def _default(values: dict[str, Any], name: str) -> str:
    node: Any = values
    for key in name.split("."):
        if not isinstance(node, dict) or key not in node:
            raise Undescribed(f"{name} is described and is no value")
        node = node[key]
    return json.dumps(node, ensure_ascii=False)


def _leaves(values: dict[str, Any], described: set[str], before: str = "") -> Iterator[str]:
    for key, value in values.items():
        name = f"{before}{key}"
        if isinstance(value, dict) and value and name not in described:
            yield from _leaves(value, described, f"{name}.")
        else:
            yield name


def main() -> int:
    """Entry point."""
    chart = Path(sys.argv[1])
    readme = chart / "README.md"
    try:
        made = page(readme.read_text(encoding="utf-8"), (chart / "values.yaml").read_text(encoding="utf-8"))
    except Undescribed as error:
        print(f"helm_readme: {error}", file=sys.stderr)
        return 2
    readme.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
