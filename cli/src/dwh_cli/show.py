"""What verbs print: JSON for programs, tables and trees for people.

Text of events is only ever text: markup characters and control sequences are shown, not obeyed.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

AS_JSON = typer.Option("--json", help="Print JSON.")
COLOURS = {
    "GREEN": "green", "SUCCESS": "green", "success": "green", "resolved": "green", "APPROVED": "green",
    "YELLOW": "yellow", "PENDING": "yellow", "PENDING_APPROVAL": "yellow", "warning": "yellow",
    "RED": "red", "FAILED": "red", "failed": "red", "critical": "red", "REJECTED": "red", "EXPIRED": "red",
}  # fmt: skip


def as_json(value: Any) -> None:
    """Print a document."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def plain(value: object) -> str:
    """A value as one line no terminal obeys; empty for null."""
    text = "" if value is None else str(value)
    return "".join(" " if unicodedata.category(char) in {"Cc", "Cf"} else char for char in text)


def coloured(value: object) -> Text:
    """A value in the colour of its state."""
    text = plain(value)
    return Text(text, style=COLOURS.get(text, ""))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Print rows, or the sentence for none."""
    if not rows:
        typer.echo(empty)
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(coloured(cell) for cell in row))
    _console().print(shown)


def fields(document: Mapping[str, Any], *, indent: int = 0) -> None:
    """Print a document as aligned names and values; nested ones indented."""
    width = max((len(name) for name in document), default=0)
    for name, value in document.items():
        lead = " " * indent + f"{name:<{width}}"
        if isinstance(value, Mapping) and value:
            typer.echo(lead.rstrip())
            fields(value, indent=indent + 2)
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            typer.echo(lead.rstrip())
            for item in value:
                typer.echo(
                    " " * (indent + 2) + "  ".join(f"{key}={plain(each)}" for key, each in item.items())
                )
        else:
            typer.echo(f"{lead}  {plain(value)}".rstrip())


def trace(root: Mapping[str, Any]) -> None:
    """Print a trace as a tree with times."""
    tree = Tree(_label(root), guide_style="dim")
    _grow(tree, root)
    _console().print(tree)


def _grow(branch: Tree, node: Mapping[str, Any]) -> None:
    for child in node.get("children") or []:
        _grow(branch.add(_label(child)), child)


def _label(node: Mapping[str, Any]) -> Text:
    time = plain(node.get("timestamp"))[11:23]
    label = Text.assemble((f"{time or '':<12} ", "dim"), (f"{plain(node.get('kind'))} ", "bold"))
    label.append(plain(node.get("name")))
    if node.get("state") is not None:
        label.append("  ").append(coloured(node["state"]))
    detail = node.get("detail")
    if isinstance(detail, str) and detail:
        label.append(f"  {plain(detail)}", style="dim")
    return label


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)
