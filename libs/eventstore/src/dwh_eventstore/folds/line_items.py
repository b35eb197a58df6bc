"""`job-line-items`: one document per check, drop reason, data type and category of a run.

They follow from the run's own document, whose fold remembers the lines of the event it shows and the names
of all lines that any event of the run ever had. A line that the shown event does not have stays as a
document without `kind` and numbers, so that it counts nowhere: read models delete nothing.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dwh_contracts import ids
from dwh_contracts.canonical import JsonObject
from pydantic import JsonValue

from dwh_eventstore.folds.registers import Key, claim, memory_of

MODEL = "job-line-items"
_RUN_FIELDS = ("environment", "job_name", "job_run_id", "attempt")
NUMBERS = ("value", "threshold", "count", "records", "dropped", "bytes", "file_count")
_NO_NUMBERS: JsonObject = dict.fromkeys(NUMBERS)
_KINDS: Sequence[tuple[str, tuple[str, ...], str]] = (
    ("check", ("quality", "checks"), "name"),
    ("drop_reason", ("metrics", "drop_reasons"), "reason"),
    ("data_type", ("metrics", "payload", "transform", "data_types"), "name"),
    ("category", ("metrics", "payload", "load", "output_summary"), "category"),
)
"""Kind of a line, where the event lists such lines, and the field that names one."""
_FIELDS = {
    "check": ("value", "threshold"),
    "drop_reason": ("count",),
    "data_type": ("records", "dropped"),
    "category": ("records", "bytes", "file_count"),
}


def lines_of(body: JsonObject) -> JsonObject:
    """The lines of a run event by `kind|place|name`, the place telling apart lines of one name."""
    lines: JsonObject = {}
    seen: Counter[tuple[str, str]] = Counter()
    for kind, path, naming in _KINDS:
        for member in _members(body, path):
            name = member.get(naming)
            if isinstance(name, str):
                lines[f"{kind}|{seen[kind, name]}|{name}"] = _line(kind, name, member)
                seen[kind, name] += 1
    return lines


def remembered(memory: JsonObject, body: JsonObject, *, shows: bool) -> JsonObject:
    """The lines a run's document keeps after an event: values of the one shown, None for all others."""
    held: Any = memory.get("lines") or {}
    new = lines_of(body)
    return {**dict.fromkeys(held), **new} if shows else {**dict.fromkeys(new), **held}


def of_run(run: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Id and line of each line item of a run's document."""
    lines: Any = memory_of(run).get("lines") or {}
    for key, line in lines.items():
        yield ids.digest("line_item", str(run["id"]), json.dumps(key)), line or _line(None, None, {})


def with_run(state: JsonObject | None, *, item_id: str, line: JsonObject, run: JsonObject) -> JsonObject:
    """The line item as its run's document has it now; an older state of the run changes nothing."""
    document = dict(state) if state else _blank(item_id, run)
    memory = memory_of(document)
    shown: Any = memory_of(run).get("shown")
    key: Key = shown
    if claim(memory, "run", key):
        document |= {**line, "timestamp": run["timestamp"], "fold": memory}
    document["latest_attempt"] = bool(document["latest_attempt"] and run["latest_attempt"])
    return document


def _blank(item_id: str, run: JsonObject) -> JsonObject:
    return {"id": item_id, **{name: run[name] for name in _RUN_FIELDS}, "latest_attempt": True}


def _line(kind: str | None, name: str | None, member: Mapping[str, JsonValue]) -> JsonObject:
    status = member.get("status") if kind == "check" else None
    line = {"kind": kind, "name": name, "status": status, **_NO_NUMBERS}
    for each in _FIELDS.get(kind or "", ()):
        line[each] = _number(member.get(each))
    return line


def _number(value: JsonValue) -> JsonValue:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _members(body: JsonObject, path: tuple[str, ...]) -> Iterator[Mapping[str, JsonValue]]:
    found: JsonValue = body
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    yield from (member for member in (found if isinstance(found, list) else []) if isinstance(member, dict))
