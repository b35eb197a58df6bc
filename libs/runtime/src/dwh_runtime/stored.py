"""The stored run behind a message: what services act on is what the store holds, never a message.

A second copy of an event with other content is refused by the indexer; whoever acted on the message
would act on what the store never accepted.
"""

from datetime import datetime
from typing import Protocol

from dwh_contracts.clock import Clock
from dwh_contracts.parse import Event

from dwh_runtime.outcomes import Retry

WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.05


class EventsPort(Protocol):
    """`dwh_eventstore.EventLog`, structurally."""

    async def get(self, event_id: str, timestamp: datetime) -> Event | None:
        """The stored job event, at once after it was written."""
        ...


class StoredRuns:
    """Job events by realtime get; the indexer may be a step behind, so a look takes up to 5 s."""

    def __init__(self, events: EventsPort, clock: Clock) -> None:
        self._events = events
        self._clock = clock

    async def get(self, event_id: str, timestamp: datetime) -> Event:
        """The event as it is stored.

        Raises:
            Retry: it is still not there.
        """
        deadline = self._clock.monotonic() + WAIT_SECONDS
        while True:
            run = await self._events.get(event_id, timestamp)
            if run is not None:
                return run
            if self._clock.monotonic() >= deadline:
                raise Retry(f"the run event {event_id} is not in the store yet")
            await self._clock.sleep(_POLL_SECONDS)
