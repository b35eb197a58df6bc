"""When buffered messages make a group for the handler."""

from collections import deque
from collections.abc import Sequence

from faststream_sqs.consume.delivery import Delivery
from faststream_sqs.schemas import Batch

SINGLE = Batch(max_size=1, max_wait=0.0)


class Buffer:
    """Received messages that no handler has yet."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._waiting: deque[tuple[float, Delivery]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, delivery: Delivery, now: float) -> None:
        """Append a message."""
        self._waiting.append((now, delivery))

    def wait(self, now: float) -> float | None:
        """Seconds until a group may start: 0 now, None while the buffer is empty."""
        if not self._waiting:
            return None
        if len(self._waiting) >= self._batch.max_size:
            return 0.0
        return max(0.0, self._waiting[0][0] + self._batch.max_wait - now)

    def take(self, most: int | None = None) -> list[Delivery]:
        """Remove the next group, oldest first."""
        size = min(self._batch.max_size, len(self._waiting))
        if most is not None:
            size = min(size, most)
        return [self._waiting.popleft()[1] for _ in range(size)]

    def ended(self, group: Sequence[Delivery]) -> None:
        """Groups do not wait for each other."""

    def gone(self, delivery: Delivery) -> None:
        """Likewise."""

    def clear(self) -> list[Delivery]:
        """Remove and return everything."""
        deliveries = [delivery for _, delivery in self._waiting]
        self._waiting.clear()
        return deliveries
