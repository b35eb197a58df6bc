"""The indexer reads no settings beyond those of every service."""

from dwh_runtime.settings import ServiceSettings

SERVICE = "indexer"


class Settings(ServiceSettings):
    """Read once, in `app.py`."""
