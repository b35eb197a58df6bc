"""Signed text for browsers and cursors: who holds `DWH_CSRF_KEYS` made it, and not long ago."""

import hashlib
from collections.abc import Sequence
from typing import Any

from dwh_contracts.clock import Clock
from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer

CSRF_SALT, CSRF_SECONDS = "dwh.csrf.v1", 2 * 3600
CURSOR_SALT, CURSOR_SECONDS = "dwh.cursor.v1", 24 * 3600


class Signed:
    """Signs with the newest key, verifies with every key; one salt, one term."""

    def __init__(self, keys: Sequence[str], clock: Clock, *, salt: str, seconds: int) -> None:
        class ClockedSigner(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(clock.now().timestamp())

        self._seconds = seconds
        self._serializer: URLSafeTimedSerializer = URLSafeTimedSerializer(
            list(keys),
            salt=salt,
            signer=ClockedSigner,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def sign(self, value: Any) -> str:
        """URL-safe text that holds the value."""
        text = self._serializer.dumps(value)
        return text if isinstance(text, str) else text.decode()

    def read(self, text: str) -> Any:
        """The value, or None: forged, too old, or of another purpose."""
        try:
            return self._serializer.loads(text, max_age=self._seconds)
        except BadSignature:
            return None


class CsrfTokens:
    """Tokens that only the page for this person and this path holds."""

    def __init__(self, keys: Sequence[str], clock: Clock) -> None:
        self._signed = Signed(keys, clock, salt=CSRF_SALT, seconds=CSRF_SECONDS)

    def token(self, principal: str, path: str) -> str:
        """For a hidden field of the form that posts to `path`."""
        return self._signed.sign([principal, path])

    def holds(self, token: str, principal: str, path: str) -> bool:
        """True when the token was made for exactly this person and path, within two hours."""
        return bool(self._signed.read(token) == [principal, path])


class Cursors:
    """Where a list goes on, bound to its filter."""

    def __init__(self, keys: Sequence[str], clock: Clock) -> None:
        self._signed = Signed(keys, clock, salt=CURSOR_SALT, seconds=CURSOR_SECONDS)

    def after(self, position: list[Any] | None, bound_to: list[Any]) -> str | None:
        """The cursor behind this position; None on the last page."""
        return None if position is None else self._signed.sign([position, bound_to])

    def position(self, cursor: str, bound_to: list[Any]) -> list[Any] | None:
        """The position, or None when the cursor is not one of this list."""
        read = self._signed.read(cursor)
        if not isinstance(read, list) or read[1:] != [bound_to]:
            return None
        position: list[Any] = read[0]
        return position
