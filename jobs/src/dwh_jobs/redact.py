"""Secrets taken out of what is logged or published."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import JsonValue

HIDDEN = "***"
_NAMED = r"(?:[A-Za-z0-9_-]*(?:password|passwd|secret|token|credential|private_?key|api_?key|access_?key))"
_NAME = re.compile(f"^{_NAMED}[A-Za-z0-9_-]*$", re.IGNORECASE)
_IN_TEXT = (
    (
        re.compile(rf"(?i)(\"?{_NAMED}[A-Za-z0-9_-]*\"?\s*[=:]\s*)(\"[^\"]*\"|[^\s,;&\"}}]+)"),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(\w+://[^\s/:@]+:)[^\s/@]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), HIDDEN),
)


def redacted(value: JsonValue) -> JsonValue:
    """A copy in which every value under a secret's name is hidden, and secrets inside texts as well."""
    if isinstance(value, Mapping):
        return {name: HIDDEN if _NAME.match(name) else redacted(item) for name, item in value.items()}
    if isinstance(value, list):
        return [redacted(item) for item in value]
    return redacted_text(value) if isinstance(value, str) else value


def redacted_text(text: str) -> str:
    """A text without passwords in addresses, `secret=…` pairs and access key ids."""
    for pattern, shown in _IN_TEXT:
        text = pattern.sub(shown, text)
    return text
