"""Read models folded in memory, independent of what stands in the engine.

States are kept packed: a run takes about 700 bytes here against 10 kB as objects.
"""

import zlib
from collections.abc import Collection, Iterable

import orjson
from dwh_contracts.canonical import JsonObject
from dwh_contracts.parse import Event

from dwh_eventstore import folds, indices
from dwh_eventstore.folds import approvals, line_items, runs


class Projection:
    """The documents of some read models (all when None are named) after the events folded so far."""

    def __init__(self, models: Collection[str] | None = None) -> None:
        self._wanted = None if models is None else with_sources(models)
        self._states: dict[str, dict[str, bytes]] = {}
        self._runs_of_lines: dict[str, str] | None = None

    @property
    def models(self) -> list[str]:
        """Read models that have a document."""
        derived = {indices.JOB_LINE_ITEMS} if self._run_of_line else set()
        return sorted(self._states.keys() | derived)

    def fold(self, events: Iterable[Event]) -> None:
        """Fold events; order and repetition do not matter."""
        self._runs_of_lines = None
        for event in events:
            for target in folds.targets(event):
                if self._wanted is None or target.model in self._wanted:
                    states = self._states.setdefault(target.model, {})
                    packed = states.get(target.id)
                    before = None if packed is None else _unpack(packed)
                    states[target.id] = _pack(folds.fold(before, event, target))

    def ids(self, model: str) -> Collection[str]:
        """Ids of the documents of a read model."""
        if model == indices.JOB_LINE_ITEMS:
            return self._run_of_line.keys()
        return self._states.get(model, {}).keys()

    def document(self, model: str, document_id: str) -> JsonObject | None:
        """A document as the read model should hold it, or None."""
        if model == indices.JOB_LINE_ITEMS:
            return self._line(document_id)
        packed = self._states.get(model, {}).get(document_id)
        if packed is None:
            return None
        state = _unpack(packed)
        return self._with_quality(state) if model == indices.JOB_APPROVALS else state

    @property
    def _run_of_line(self) -> dict[str, str]:
        """Line items follow from the documents of their runs, so they are not kept."""
        if self._runs_of_lines is None:
            runs_seen = self._states.get(indices.JOB_EVENTS, {})
            self._runs_of_lines = {
                item: run_id
                for run_id, packed in runs_seen.items()
                for item, _ in line_items.of_run(_unpack(packed))
            }
        return self._runs_of_lines

    def _line(self, item_id: str) -> JsonObject | None:
        run_id = self._run_of_line.get(item_id)
        run = None if run_id is None else self.document(indices.JOB_EVENTS, run_id)
        if run is None:
            return None
        line = dict(line_items.of_run(run))[item_id]
        return line_items.with_run(None, item_id=item_id, line=line, run=run)

    def _with_quality(self, decision: JsonObject) -> JsonObject:
        environment, job, run = (str(decision[name]) for name in ("environment", "job_name", "job_run_id"))
        run_id = runs.run_id(environment, job, run, int(str(decision["attempt"])))
        shown = self.document(indices.JOB_EVENTS, run_id)
        return decision if shown is None else approvals.with_run(decision, shown)


def sources(model: str) -> tuple[indices.Family, ...]:
    """Families of events that a read model is made of."""
    if model == indices.JOB_ALERTS:
        return ("effect",)
    if model == indices.JOB_LINE_ITEMS:
        return ("job",)
    if model == indices.JOB_TRIGGERS:
        return ("job", "effect")
    if model.startswith((indices.JOB_EVENTS, indices.JOB_APPROVALS)):
        return ("job", "approval")
    return indices.FAMILIES


def with_sources(models: Collection[str]) -> frozenset[str]:
    """Read models with those that they are made from: decisions and line items follow from runs."""
    made_from_runs = {indices.JOB_APPROVALS, indices.JOB_LINE_ITEMS}
    return frozenset(models) | ({indices.JOB_EVENTS} if made_from_runs & set(models) else set())


def _pack(state: JsonObject) -> bytes:
    return zlib.compress(orjson.dumps(state), 1)


def _unpack(packed: bytes) -> JsonObject:
    state: JsonObject = orjson.loads(zlib.decompress(packed))
    return state
