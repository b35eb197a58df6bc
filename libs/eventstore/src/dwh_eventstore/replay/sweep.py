"""Fold every event once more, some minutes after it came, and count what had to be repaired.

The count is expected to stay 0: each event is folded by whoever stored it, and again by a redelivery when
that process died. A repair means that a writer lost one; it is worth an alert even though it is mended.
"""

from dataclasses import dataclass
from datetime import timedelta

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.times import format_time, parse_time

from dwh_eventstore.backend import Backend
from dwh_eventstore.read_models import ReadModels
from dwh_eventstore.replay.checkpoints import Checkpoints
from dwh_eventstore.replay.watermark import CatchUp, positions_from_json, positions_to_json

BEHIND = timedelta(minutes=10)
MOST_EVENTS = 50_000
"""In one turn; the rest is left to the next."""
_KEY = "sweep"


@dataclass(frozen=True, slots=True)
class Swept:
    """What one turn did."""

    events: int
    repaired: int
    """Documents that lacked something."""


class Sweep:
    """The sweep of one store. Run it under a lease: it moves one checkpoint."""

    def __init__(self, backend: Backend, read_models: ReadModels, clock: Clock) -> None:
        self._reader = CatchUp(backend)
        self._read_models = read_models
        self._checkpoints = Checkpoints(backend)
        self._clock = clock

    async def turn(self) -> Swept:
        """Fold what was stored up to a watermark that is at least ten minutes old, if there is one.

        Raises:
            StoreUnavailable: the turn is repeated from its checkpoint by the next.
        """
        state = await self._checkpoints.load(_KEY)
        now = self._clock.now()
        taken_at = state.get("taken_at")
        if not isinstance(taken_at, str):
            await self._take(state)
            return Swept(0, 0)
        if now - parse_time(taken_at) < BEHIND:
            return Swept(0, 0)
        return await self._sweep(state)

    async def _sweep(self, state: JsonObject) -> Swept:
        goal = positions_from_json(state, "goal")
        mark = await self._reader.watermark()
        standing = {shard.index for shard in mark.shards}  # one that is gone for good is the audit's part
        done = {key: at for key, at in positions_from_json(state).items() if key[0] in standing}
        mark = mark.limited(goal)
        events = repaired = 0
        async for batch in self._reader.read(done, mark):
            repaired += await self._read_models.refold(batch.events())
            events += len(batch.found)
            done[batch.key] = batch.position
            if events >= MOST_EVENTS:
                await self._save(state | {"positions": positions_to_json(done)})
                return Swept(events, repaired)
        await self._take(state | {"positions": positions_to_json(mark.positions)})
        return Swept(events, repaired)

    async def _take(self, state: JsonObject) -> None:
        """Take the next watermark; it is swept when it has come of age."""
        mark = await self._reader.watermark()
        goal = positions_to_json(mark.positions)
        await self._save(state | {"goal": goal, "taken_at": format_time(self._clock.now())})

    async def _save(self, state: JsonObject) -> None:
        await self._checkpoints.save(_KEY, {"kind": "sweep", **state})
