"""Counts that come out of the same pass that writes the data.

Spark's `Observation` has traps this module closes: after a failed action it answers at once with partial
counts, and the first action on the observed frame wins for good. So there is a new one per attempt, it is
read only after that attempt's action succeeded, and never for longer than 30 seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from itertools import count

from pyspark.sql import Column, DataFrame, Observation

from dwh_jobs.errors import ObservationError

READ_SECONDS = 30.0
_NUMBERS = count(1)


class ObservedCounts:
    """Named whole numbers over the rows of one action.

    The aggregates may not be DISTINCT nor have a FILTER, which Spark refuses. Attach to a narrow frame,
    after the last shuffle: a shuffle stage computed again would count twice.
    """

    def __init__(self, aggregates: Mapping[str, Column]) -> None:
        self._aggregates = dict(aggregates)
        self._observation: Observation | None = None

    def attach(self, frame: DataFrame) -> DataFrame:
        """The frame to write; an earlier attachment is forgotten with its counts."""
        self._observation = Observation(f"dwh_counts_{next(_NUMBERS)}")
        named = [aggregate.alias(name) for name, aggregate in self._aggregates.items()]
        return frame.observe(self._observation, *named)

    def read(self) -> dict[str, int | None]:
        """The counts, None for a minimum or maximum over no rows; only after the action has succeeded."""
        observation = self._observation
        if observation is None:
            raise ObservationError("nothing was observed")
        reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="observation")
        try:
            found = reader.submit(lambda: observation.get).result(timeout=READ_SECONDS)
        except FutureTimeoutError as error:
            raise ObservationError(f"no counts within {READ_SECONDS:.0f} s of the write") from error
        finally:
            reader.shutdown(wait=False, cancel_futures=True)
        return {name: found.get(name) for name in self._aggregates}
