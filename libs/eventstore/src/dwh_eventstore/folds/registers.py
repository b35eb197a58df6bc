"""The one device all folds rest on: a register that keeps the least of the keys it was offered.

A key is `[rank, timestamp, event id]`: of two claims to one part of a document the lower rank has it, then
the earlier event, then the lower id. Taking a minimum does not depend on order or repetition.
"""

from typing import Any, NamedTuple

from dwh_contracts.canonical import JsonObject
from dwh_contracts.parse import Event
from pydantic import JsonValue

Key = list[JsonValue]


class Target(NamedTuple):
    """A document of a read model; `attempt` is that of the run it stands for."""

    model: str
    id: str
    attempt: int = 1


def key_of(event: Event, rank: int = 0) -> Key:
    """The key under which an event claims a part of a document."""
    return [rank, event.time, event.event_id]


def memory_of(state: JsonObject) -> JsonObject:
    """What the fold keeps to decide between events; a copy."""
    memory = state.get("fold")
    return dict(memory) if isinstance(memory, dict) else {}


def claim(memory: JsonObject, part: str, key: Key) -> bool:
    """Whether the key takes the part from whoever has it; remembers it if so. Changes `memory`."""
    held: Any = memory.get(part)
    if held is not None and held <= key:
        return False
    memory[part] = key
    return True


def visible(document: JsonObject) -> JsonObject:
    """The document without what only the fold needs."""
    return {name: value for name, value in document.items() if name != "fold"}
