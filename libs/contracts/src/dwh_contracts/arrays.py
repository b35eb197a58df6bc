"""The array rule (contracts.md 5): an object with data-dependent keys is published as an array."""

from collections.abc import Mapping

from pydantic import JsonValue

from dwh_contracts.canonical import JsonObject


def to_array(
    mapping: Mapping[str, JsonValue], key_name: str, value_name: str | None = None
) -> list[JsonObject]:
    """One object per key, sorted by key; scalars under `value_name` (default `value`), objects spread.

    Raises:
        ValueError: an object value already has a field `key_name`, or both names are one.
    """
    scalar_name = value_name or "value"
    if scalar_name == key_name:
        raise ValueError(f"key_name collides with the name of the value: {key_name}")
    return [_item(key, mapping[key], key_name, scalar_name) for key in sorted(mapping)]


def _item(key: str, value: JsonValue, key_name: str, scalar_name: str) -> JsonObject:
    if not isinstance(value, dict):
        return {key_name: key, scalar_name: value}
    if key_name in value:
        raise ValueError(f"key_name collides with a field of {key!r}: {key_name}")
    return {key_name: key, **value}
