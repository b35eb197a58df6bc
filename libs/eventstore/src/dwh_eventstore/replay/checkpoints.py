"""Positions of readers that outlive a process, in `projection-checkpoints`."""

from dwh_contracts.canonical import JsonObject

from dwh_eventstore import indices
from dwh_eventstore.backend import Backend
from dwh_eventstore.documents import Documents
from dwh_eventstore.errors import StoreUnavailable


class Checkpoints:
    """One document per reader; each has one writer at a time, by lock or lease."""

    def __init__(self, backend: Backend) -> None:
        self._documents = Documents(backend, indices.CHECKPOINTS)

    async def load(self, key: str) -> JsonObject:
        """What was saved last; empty when nothing was."""
        found = await self._documents.get(key)
        return {} if found is None else found.body

    async def save(self, key: str, body: JsonObject) -> None:
        """Write over what was saved.

        Raises:
            StoreUnavailable: another process saved at the same moment.
        """
        found = await self._documents.get(key)
        if found is None:
            saved = await self._documents.create(key, body)
        else:
            saved = await self._documents.replace(found, body)
        if not saved:
            raise StoreUnavailable(f"another process moved the checkpoint {key}")
