"""Second copies of the audit's digests, below one address: a bucket with Object Lock, or a folder."""

from dwh_runtime.aws import ObjectMissing, Objects


class AuditCopies:
    """`dwh_eventstore.audit.Copies`, structurally, over objects."""

    def __init__(self, objects: Objects, uri: str) -> None:
        self._objects = objects
        self._uri = uri.rstrip("/")

    async def put(self, name: str, body: bytes) -> None:
        """Keep a copy."""
        await self._objects.put(f"{self._uri}/{name}", body)

    async def get(self, name: str) -> bytes | None:
        """The copy, or None."""
        try:
            found = await self._objects.get(f"{self._uri}/{name}")
        except ObjectMissing:
            return None
        return None if found is None else found.body
