"""Signed links to a decision form: they bind what the reader saw and are never an identity.

Format: itsdangerous URL-safe timed token, salt `dwh.approval-link.v1`, HMAC key derivation, SHA-256.
The newest key signs, every key verifies. Holders of `DWH_LINK_KEYS` are alerts (signs) and approvals.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from dwh_contracts.clock import Clock
from itsdangerous import BadSignature, SignatureExpired, TimestampSigner, URLSafeTimedSerializer

SALT = "dwh.approval-link.v1"
MAX_AGE_SECONDS = 72 * 3600
MIN_KEY_BYTES = 32


# LinkError
# ├── LinkForged    nobody of ours signed this: answer 404
# └── LinkExpired   it was ours, once: answer 410
class LinkError(Exception):
    """A token that does not lead to a form."""


class LinkForged(LinkError):  # noqa: N818 - named for what happened
    """The signature, the salt or the content is not ours."""


class LinkExpired(LinkError):  # noqa: N818 - named for what happened
    """Genuine but older than its term."""


@dataclass(frozen=True, slots=True)
class LinkContent:
    """What a link binds its reader's decision to."""

    environment: str
    job_name: str
    job_run_id: str
    attempt: int
    source_event_id: str
    artifacts_manifest_sha256: str | None
    nonce: str


def parse_keys(text: str) -> tuple[str, ...]:
    """The keys of a setting: a JSON list or comma-separated, oldest first, at least 32 bytes each."""
    keys = json.loads(text) if text.lstrip().startswith("[") else [key.strip() for key in text.split(",")]
    if not keys or any(not isinstance(key, str) or len(key.encode()) < MIN_KEY_BYTES for key in keys):
        raise ValueError(f"every key needs at least {MIN_KEY_BYTES} bytes")
    return tuple(keys)


class LinkSigner:
    """Signs with the newest key and verifies with all of them."""

    def __init__(self, keys: Sequence[str], clock: Clock) -> None:
        class ClockedSigner(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(clock.now().timestamp())

        self._newest_key = keys[-1].encode()
        self._serializer: URLSafeTimedSerializer = URLSafeTimedSerializer(
            list(keys),
            salt=SALT,
            signer=ClockedSigner,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def nonce(self, delivery_id: str) -> str:
        """One per delivery and the same at every attempt: an HMAC, no random number."""
        return hmac.new(self._newest_key, delivery_id.encode(), hashlib.sha256).hexdigest()[:32]

    def sign(self, content: LinkContent) -> str:
        """The token of `GET /links/<token>`."""
        token = self._serializer.dumps(asdict(content))
        return token if isinstance(token, str) else token.decode()

    def verify(self, token: str, *, max_age_seconds: int = MAX_AGE_SECONDS) -> LinkContent:
        """What the link was signed for.

        Raises:
            LinkExpired: genuine but too old.
            LinkForged: anything else.
        """
        try:
            return LinkContent(**self._serializer.loads(token, max_age=max_age_seconds))
        except SignatureExpired as error:
            raise LinkExpired(str(error)) from None
        except (BadSignature, TypeError) as error:
            raise LinkForged(str(error)) from None
