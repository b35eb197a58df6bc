"""A queue in memory whose answers are prepared before they are asked for."""

import asyncio
import heapq
import json
from collections import deque
from collections.abc import Iterable
from typing import Any

from faststream_sqs.clock import Clock


class CannedQueue:
    """Messages by number; the receipt names number and receive.

    No FIFO order, no dead letters, no delays: this is a load, not a model of SQS (see `MemoryTransport`).
    `deleted_at` and `received_at` are times of the steady clock of this machine, by number.
    """

    def __init__(self, url: str, clock: Clock, *, visibility: float = 30.0) -> None:
        self.url = url
        self.visibility = visibility
        self.received_at: dict[int, float] = {}
        self.deleted_at: dict[int, float] = {}
        self._clock = clock
        self._fixed: list[str] = []
        self._receives: dict[int, int] = {}
        self._visible: deque[int] = deque()
        self._hidden: list[tuple[float, int]] = []
        self._hidden_until: dict[int, float] = {}
        self._changed = asyncio.Event()
        self._emptied = asyncio.Event()

    def load(self, bodies: Iterable[str], attributes: dict[str, Any] | None = None) -> None:
        """Append messages; `attributes` are message attributes in the form of the wire, equal for all."""
        for body in bodies:
            self.add(body, attributes)

    def add(self, body: str, attributes: dict[str, Any] | None = None) -> int:
        """Append one message; returns its number."""
        number = len(self._fixed)
        message: dict[str, Any] = {"MessageId": message_id(number), "Body": body}
        if attributes:
            message["MessageAttributes"] = attributes
        self._fixed.append(json.dumps(message, separators=(",", ":"))[1:-1])
        self._receives[number] = 0
        self._visible.append(number)
        self._changed.set()
        self._emptied.clear()
        return number

    @property
    def left(self) -> int:
        """Messages that are not deleted."""
        return len(self._receives)

    @property
    def in_flight(self) -> int:
        """Messages that are not deleted and not visible."""
        self._uncover()
        return len(self._hidden_until)

    async def wait(self, seconds: float) -> None:
        """Return when there is something to receive, or after so many seconds."""
        deadline = self._clock.monotonic() + seconds
        while not self._uncover():
            left = deadline - self._clock.monotonic()
            if self._hidden:
                left = min(left, max(0.001, self._hidden[0][0] - self._clock.monotonic()))
            if deadline <= self._clock.monotonic():
                return
            self._changed.clear()
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def wait_empty(self) -> None:
        """Return when the last message is deleted; one must have been there."""
        await self._emptied.wait()

    @property
    def has_visible(self) -> bool:
        """Whether a receive would bring something at once."""
        return self._uncover() > 0

    def receive(self, limit: int, visibility: float | None) -> list[str]:
        """Hide up to `limit` messages; their parts of the answer."""
        self._uncover()
        now = self._clock.monotonic()
        hidden_until = now + (self.visibility if visibility is None else visibility)
        answer: list[str] = []
        while self._visible and len(answer) < limit:
            number = self._visible.popleft()
            if number not in self._receives:
                continue
            self._receives[number] += 1
            self.received_at[number] = now
            self._hide(number, hidden_until)
            answer.append(self._shown(number))
        return answer

    def delete(self, receipt: str) -> None:
        """Delete; a receipt of an earlier receive deletes as well, as SQS may do."""
        number, _ = _parts(receipt)
        if self._receives.pop(number, None) is not None:
            self._hidden_until.pop(number, None)
            self.deleted_at[number] = self._clock.monotonic()
            if not self._receives:
                self._emptied.set()

    def change(self, receipt: str, seconds: float) -> bool:
        """Hide for so many seconds from now; False when the message is not in flight with this receipt."""
        number, receives = _parts(receipt)
        if number not in self._hidden_until or self._receives.get(number) != receives:
            return False
        self._hide(number, self._clock.monotonic() + seconds)
        self._changed.set()
        return True

    def _hide(self, number: int, until: float) -> None:
        self._hidden_until[number] = until
        heapq.heappush(self._hidden, (until, number))

    def _uncover(self) -> int:
        now = self._clock.monotonic()
        while self._hidden and self._hidden[0][0] <= now:
            until, number = heapq.heappop(self._hidden)
            if self._hidden_until.get(number) == until:
                del self._hidden_until[number]
                self._visible.append(number)
        while self._visible and self._visible[0] not in self._receives:
            self._visible.popleft()
        return len(self._visible)

    def _shown(self, number: int) -> str:
        count = self._receives[number]
        return (
            f'{{{self._fixed[number]},"ReceiptHandle":"{number}#{count}","Attributes":'
            f'{{"ApproximateReceiveCount":"{count}","SentTimestamp":"1760000000000",'
            '"ApproximateFirstReceiveTimestamp":"1760000000500","SenderId":"canned"}}'
        )


def message_id(number: int) -> str:
    """The id of a message, in the form of SQS."""
    return f"00000000-0000-4000-8000-{number:012d}"


def _parts(receipt: str) -> tuple[int, int]:
    number, _, receives = receipt.partition("#")
    try:
        return int(number), int(receives)
    except ValueError:
        return -1, -1
