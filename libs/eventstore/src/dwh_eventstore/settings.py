"""Where the store is and how a service uses it."""

from dataclasses import dataclass

from dwh_eventstore.access import Auth


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Address, identity and durability of the store for one process."""

    url: str
    environment: str
    service: str
    """Name of the writer; recorded with each stored document."""
    auth: Auth = "none"
    user: str | None = None
    password: str | None = None
    region: str | None = None
    """Of AWS; requests are signed for it in the mode `sigv4`."""
    replicas: int = 0
    wait_for_active_shards: str = "1"
    timeout_seconds: float = 10.0
    """Of one request."""
    busy_patience_seconds: float = 3.0
    """How long a call is repeated that the engine is too busy for (429); a message waits better in its
    queue, work that a person waits for does not."""
    connections: int = 16

    def __repr__(self) -> str:
        return f"StoreSettings(url={self.url!r}, environment={self.environment!r}, service={self.service!r})"
