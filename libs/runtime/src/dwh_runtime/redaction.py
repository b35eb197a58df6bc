"""Keep secrets out of logs: by key, by shape, and by value.

Guarantees for every value of a log line, at any depth: what stands under a secret-sounding key, a URL's
user info, a token in a URL or header, and any secret of this process's settings is starred out.
Does not recognise a secret of somebody else that looks like ordinary text.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

STARS = "[redacted]"

_SECRET_KEY = re.compile(
    r"password|passwd|secret|token|authorization|cookie|api_?key|routing_?key|signing_?key|link_keys|csrf|credential",
    re.IGNORECASE,
)
_SHAPES = (
    (re.compile(r"(?<=://)[^/\s@]+@"), f"{STARS}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {STARS}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), STARS),
    (
        re.compile(r"(?i)([?&](?:[a-z0-9_-]*(?:token|signature|credential|secret|key|sig))=)[^&\s\"']+"),
        rf"\1{STARS}",
    ),
    (re.compile(r"(hooks\.slack\.com/)[^\s\"']+"), rf"\1{STARS}"),
    (re.compile(r"(/links/)[A-Za-z0-9._=-]{20,}"), rf"\1{STARS}"),
)
_SHORTEST_SECRET = 6


class Redactor:
    """A structlog processor; `secrets` are the exact values this process knows."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({value for value in secrets if len(value) >= _SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _logger: Any, _method: str, event_dict: Any) -> Any:
        """Redact one event."""
        return {key: self._under(key, value) for key, value in event_dict.items()}

    def text(self, value: str) -> str:
        """`value` without secrets."""
        if self._known is not None:
            value = self._known.sub(STARS, value)
        for shape, replacement in _SHAPES:
            value = shape.sub(replacement, value)
        return value

    def _under(self, key: object, value: Any) -> Any:
        if isinstance(key, str) and _SECRET_KEY.search(key) and value is not None:
            return STARS
        return self._value(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self._under(key, item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(item) for item in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(str(value))
