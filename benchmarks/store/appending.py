"""Rows about appending: beside the raw bulk rate of the same node, and with duplicates.

Rounds of the one and the other take turns, so that both meet the same load of the machine.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from dwh_contracts.parse import Event
from dwh_eventstore import Store, definitions, indices
from dwh_eventstore.backend import Create
from dwh_eventstore.log import stored_document
from measured_events import events, plain
from node import Raw, bodies, timed
from table import Row, percent

BATCH = 100
RAW_INDEX = "raw-events"
JOB = "measured_append"


def batches(of: list[Event]) -> Iterator[list[Event]]:
    """Micro-batches, as a queue gives them."""
    return (of[first : first + BATCH] for first in range(0, len(of), BATCH))


async def measure(store: Store, raw: Raw, total: int, rounds: int) -> list[Row]:
    """Raw, through the store, and half of it twice."""
    await store.backend.create_index(RAW_INDEX, definitions.late_definition(0))
    each = max(total // rounds, 4 * BATCH)
    raw_seconds = ours_seconds = twice_seconds = cpu_seconds = 0.0
    chosen = random.Random(1)
    unique = 0
    for number in range(-1, rounds):  # the first warms up
        first = (number + 1) * 3 * each
        written = [_document(event) for event in events(plain, JOB, first, each)]
        seconds = await timed(
            [part for start in range(0, each, BATCH) for part in bodies(written[start : start + BATCH])],
            raw.bulk,
        )
        ours = events(plain, JOB, first + each, each)
        cpu = time.process_time()
        once = await timed(batches(ours), store.events.append)
        cpu = time.process_time() - cpu
        new = events(plain, JOB, first + 2 * each, each // 2)
        mixed = [*new, *chosen.sample(ours, each // 2)]
        chosen.shuffle(mixed)
        twice = await timed(batches(mixed), store.events.append)
        unique += each + len(new)
        if number >= 0:
            raw_seconds += seconds
            ours_seconds += once
            twice_seconds += twice
            cpu_seconds += cpu
    await store.refresh()
    stored = await raw.count(indices.month_pattern("job"), JOB)
    done = rounds * each
    raw_rate, ours_rate, twice_rate = done / raw_seconds, done / ours_seconds, done / twice_seconds
    return [
        Row("append in micro-batches of 100", ours_rate, "events/s", 8_000),
        percent(
            "append beside the node's raw bulk rate", ours_rate, raw_rate, 60, "100 a request, 4 at once"
        ),
        Row("append, processor time of the client", cpu_seconds / done * 1e6, "µs/event"),
        percent("50 % duplicates beside none", twice_rate, ours_rate, 80, "appends"),
        Row("50 % duplicates, extra documents", stored - unique, "documents", 0, at_most=True),
    ]


def _document(event: Event) -> Create:
    now = str(event.body["timestamp"])
    return Create(RAW_INDEX, event.event_id, stored_document(event, None, "job", "bench", now))
