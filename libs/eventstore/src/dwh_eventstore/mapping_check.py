"""Whether a mapping takes a document, and what of it does, as far as our mappings go."""

from typing import Any

from dwh_contracts.canonical import JsonObject
from pydantic import JsonValue

_LEAVES: dict[str, tuple[type, ...]] = {
    "keyword": (str, int, float, bool),
    "text": (str, int, float, bool),
    "date": (str,),
    "long": (int, float),
    "integer": (int, float),
    "double": (int, float),
    "boolean": (bool,),
}


_NUMBERS = frozenset({"long", "integer", "double"})


class Misfit(Exception):  # noqa: N818 - a finding about a document
    """Why a mapping refuses a document."""


def learn(mapping: Any, body: JsonObject) -> tuple[Any, str]:
    """The mapping with the dynamic fields of the document, and why it refuses it; empty when it takes it."""
    try:
        return _object(mapping, body, "", mapping.get("dynamic")), ""
    except Misfit as problem:
        return mapping, str(problem)


def fitting(mapping: Any, body: JsonObject) -> JsonObject:
    """The document with null for every value that its field cannot hold; what is dynamic stays."""
    properties = mapping.get("properties", {})
    return {
        name: _fitted(properties[name], value) if name in properties else value
        for name, value in body.items()
    }


def _fitted(field: Any, value: JsonValue) -> JsonValue:
    if value is None or field.get("enabled") is False:
        return value
    if isinstance(value, list):
        return [_fitted(field, member) for member in value]
    kind = field.get("type", "object")
    if kind == "object":
        return fitting(field, value) if isinstance(value, dict) else None
    fits = isinstance(value, _LEAVES[kind]) and not (kind in _NUMBERS and isinstance(value, bool))
    lenient = field.get("ignore_malformed") and not isinstance(value, dict)
    return value if fits or lenient else None


def field_count(mapping: Any) -> int:
    """Fields and objects of a mapping, as the engine counts them against its limit."""
    properties = mapping.get("properties", {})
    return len(properties) + sum(field_count(field) for field in properties.values())


def _field(mapping: Any, value: JsonValue, path: str, dynamic: Any) -> Any:
    """The field after this value.

    Raises:
        Misfit: it does not take it; the text says why.
    """
    if value is None or mapping.get("enabled") is False:
        return mapping
    if isinstance(value, list):
        for member in value:
            mapping = _field(mapping, member, path, dynamic)
        return mapping
    if mapping.get("type", "object") != "object":
        if _fitted(mapping, value) is None:
            raise Misfit(f"failed to parse field [{path}] of type [{mapping['type']}]")
        return mapping
    if not isinstance(value, dict):
        raise Misfit(f"object mapping for [{path}] tried to parse as object, but found a concrete value")
    return _object(mapping, value, path, mapping.get("dynamic", dynamic))


def _object(mapping: Any, value: dict[str, JsonValue], path: str, dynamic: Any) -> Any:
    properties = dict(mapping.get("properties", {}))
    for name, member in value.items():
        here = f"{path}.{name}" if path else name
        if name in properties:
            properties[name] = _field(properties[name], member, here, dynamic)
        elif dynamic == "strict":
            raise Misfit(f"mapping set to strict, dynamic introduction of [{here}] is not allowed")
        elif dynamic is True and (kind := _kind(member)) is not None:
            properties[name] = _field(kind, member, here, dynamic)
    return {**mapping, "properties": properties} if properties else mapping


def _kind(value: JsonValue) -> Any:
    """What a field seen for the first time becomes; None while nothing is known of it."""
    if isinstance(value, list):
        return next((kind for member in value if (kind := _kind(member)) is not None), None)
    if value is None:
        return None
    if isinstance(value, dict):
        return {"properties": {}}
    name = "boolean" if isinstance(value, bool) else "keyword" if isinstance(value, str) else "double"
    return {"type": name}
