"""Whether a mapping takes a document, as far as our mappings go; the in-memory engine's half of the truth."""

from typing import Any

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


def misfit(mapping: Any, value: JsonValue, path: str = "") -> str:
    """Why the mapping refuses the value; empty when it takes it."""
    if value is None or mapping.get("enabled") is False:
        return ""
    if isinstance(value, list):
        return next((problem for member in value if (problem := misfit(mapping, member, path))), "")
    if "type" in mapping and mapping["type"] != "object":
        return _leaf(mapping["type"], value, path)
    if not isinstance(value, dict):
        return f"object mapping for [{path}] tried to parse as object, but found a concrete value"
    return _object(mapping, value, path)


def _leaf(kind: str, value: JsonValue, path: str) -> str:
    allowed = _LEAVES.get(kind)
    if allowed is None or isinstance(value, allowed):
        return ""
    return f"failed to parse field [{path}] of type [{kind}]"


def _object(mapping: Any, value: dict[str, JsonValue], path: str) -> str:
    properties = mapping.get("properties", {})
    for name, member in value.items():
        here = f"{path}.{name}" if path else name
        if name in properties:
            problem = misfit(_inherit(properties[name], mapping), member, here)
            if problem:
                return problem
        elif mapping.get("dynamic") == "strict":
            return f"mapping set to strict, dynamic introduction of [{here}] is not allowed"
    return ""


def _inherit(child: Any, parent: Any) -> Any:
    if "type" in child and child["type"] != "object":
        return child
    return {"dynamic": parent.get("dynamic"), **child}
