"""Refused messages with their raw bytes and the reason; one record per service and raw bytes."""

import base64

from dwh_contracts.canonical import JsonObject
from dwh_contracts.quarantine import QuarantineRecord

from dwh_eventstore import indices
from dwh_eventstore.backend import Backend, Query
from dwh_eventstore.documents import Documents, Versioned


class Quarantine:
    """The index `events-quarantine-v1`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._documents = Documents(backend, indices.QUARANTINE)

    async def put(self, record: QuarantineRecord) -> None:
        """Keep the record; a redelivery of the same bytes finds it there and changes nothing.

        Bytes that were replayed, or are just being, and are refused again are open again.
        """
        body = record.model_dump(mode="json")
        while not await self._documents.create(record.quarantine_id, body):
            held = await self._documents.get(record.quarantine_id)
            if held is not None and not (held.body.get("state") == "replayed" or held.body.get("replaying")):
                return
            if held is not None and await self._documents.replace(held, held.body | _again(body)):
                return

    async def get(self, quarantine_id: str) -> Versioned | None:
        """The record with its version, or None."""
        return await self._documents.get(quarantine_id)

    async def list(self, state: str | None = "open", *, limit: int = 100) -> list[JsonObject]:
        """Records in this state (None: all), newest first; sees everything kept before the call."""
        await self._backend.refresh([indices.QUARANTINE])
        query = Query(
            indices=(indices.QUARANTINE,),
            where={} if state is None else {"state": state},
            sort=(("timestamp", "desc"), ("quarantine_id", "desc")),
            limit=limit,
        )
        return [hit.body for hit in await self._backend.search(query)]

    async def change_state(self, versioned: Versioned, state: str, *, replaying: bool = False) -> bool:
        """Move a record on (replayed, discarded); False when somebody else did meanwhile.

        Before it is sent again it is open and `replaying`: whoever dies in between leaves it open, and a
        refusal that comes before the end of the replay is not taken for one that was mended.
        """
        return await self._documents.replace(
            versioned, versioned.body | {"state": state, "replaying": replaying}
        )


def raw_bytes(record: JsonObject) -> bytes:
    """The message as it was received."""
    raw = str(record["raw"])
    return base64.b64decode(raw) if record["raw_encoding"] == "base64" else raw.encode()


def _again(body: JsonObject) -> JsonObject:
    """What a new refusal of the same bytes says; the time stays that of the first receipt."""
    return {name: body[name] for name in ("reason", "path", "detail", "state")} | {"replaying": False}
