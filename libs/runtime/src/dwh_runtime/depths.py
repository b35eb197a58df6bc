"""How many messages wait in a service's queues and dead-letter queues, read every 30 s.

Guarantees: what cannot be read shows no figure instead of an old one, is logged when that begins and
ends, and ends nothing. The figures are SQS's own, and SQS calls them approximate.
"""

from collections.abc import Sequence

from dwh_contracts.clock import Clock

from dwh_runtime.aws import Queues
from dwh_runtime.logging import get_logger
from dwh_runtime.metrics import DLQ_MESSAGES, QUEUE_MESSAGES
from dwh_runtime.settings import ServiceSettings

log = get_logger(__name__)

LOOK_SECONDS = 30.0
_DEAD = "-dlq"
_STATES = ("visible", "in_flight", "delayed")


class QueueDepths:
    """Shows the depth of a service's own queue, of others it feeds, and of their dead-letter queues."""

    def __init__(
        self,
        queues: Queues,
        settings: ServiceSettings,
        service: str,
        clock: Clock,
        *,
        fed: Sequence[str] = (),
    ) -> None:
        """`fed`: addresses of queues that the service sends to and nobody else watches."""
        self._queues = queues
        self._service = service
        self._clock = clock
        self._prefix = f"dwh-{settings.environment}-"
        self._urls = [url + end for url in (settings.queue_url, *fed) for end in ("", _DEAD)]
        self._unreadable: set[str] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Read every queue once; one that cannot be read does not keep the others from being read."""
        for url in self._urls:
            try:
                depth = await self._queues.depth(url)
            except Exception as error:  # noqa: BLE001 - the edge of background work
                self._hide(url)
                self._tell_unreadable(url, error)
            else:
                self._show(url, depth)
                self._tell_readable(url)

    def _show(self, url: str, depth: dict[str, int]) -> None:
        queue = self._name(url)
        if queue.endswith(_DEAD):
            DLQ_MESSAGES.labels(self._service, queue).set(sum(depth.values()))
            return
        for state in _STATES:
            QUEUE_MESSAGES.labels(self._service, queue, state).set(depth[state])

    def _hide(self, url: str) -> None:
        queue = self._name(url)
        if queue.endswith(_DEAD):
            DLQ_MESSAGES.remove(self._service, queue)
            return
        for state in _STATES:
            QUEUE_MESSAGES.remove(self._service, queue, state)

    def _tell_unreadable(self, url: str, error: Exception) -> None:
        if url not in self._unreadable:
            self._unreadable.add(url)
            log.warning("queue_depth_unreadable", queue=self._name(url), error=str(error))

    def _tell_readable(self, url: str) -> None:
        if url in self._unreadable:
            self._unreadable.discard(url)
            log.info("queue_depth_readable", queue=self._name(url))

    def _name(self, url: str) -> str:
        return url.rpartition("/")[2].removeprefix(self._prefix)
