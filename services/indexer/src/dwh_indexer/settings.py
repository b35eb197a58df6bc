"""What the indexer reads beyond the settings of every service: where and with what the log is sealed."""

from dwh_runtime.settings import ServiceSettings
from pydantic import SecretStr

SERVICE = "indexer"


class Settings(ServiceSettings):
    """Read once, in `app.py`."""

    audit_key: SecretStr | None = None
    """Ed25519 key of 64 hex digits, or ARN or alias of a key in KMS; without it nothing is sealed."""
    audit_uri: str | None = None
    """Where second copies of the digests go: `s3://…` (a bucket with Object Lock) or `file://…`."""
