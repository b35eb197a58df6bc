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
        self._wanted = None if models is None else _with_sources(models)
        self._states: dict[str, dict[str, bytes]] = {}

    @property
    def models(self) -> list[str]:
        """Read models that have a document."""
        return sorted(self._states)

    def fold(self, events: Iterable[Event]) -> None:
        """Fold events; order and repetition do not matter."""
        for event in events:
            for target in folds.targets(event):
                if self._wanted is None or target.model in self._wanted:
                    states = self._states.setdefault(target.model, {})
                    packed = states.get(target.id)
                    before = None if packed is None else _unpack(packed)
                    state = folds.fold(before, event, target)
                    states[target.id] = _pack(state)
                    if target.model == indices.JOB_EVENTS and runs.is_run_event(event):
                        self._add_lines(state)

    def _add_lines(self, run: JsonObject) -> None:
        if self._wanted is not None and indices.JOB_LINE_ITEMS not in self._wanted:
            return
        states = self._states.setdefault(indices.JOB_LINE_ITEMS, {})
        for item_id, line in line_items.of_run(run):
            packed = states.get(item_id)
            before = None if packed is None else _unpack(packed)
            states[item_id] = _pack(line_items.with_run(before, item_id=item_id, line=line, run=run))

    def ids(self, model: str) -> Collection[str]:
        """Ids of the documents of a read model."""
        return self._states.get(model, {}).keys()

    def document(self, model: str, document_id: str) -> JsonObject | None:
        """A document as the read model should hold it, or None."""
        packed = self._states.get(model, {}).get(document_id)
        if packed is None:
            return None
        state = _unpack(packed)
        return self._with_quality(state) if model == indices.JOB_APPROVALS else state

    def _with_quality(self, decision: JsonObject) -> JsonObject:
        environment, job, run = (str(decision[name]) for name in ("environment", "job_name", "job_run_id"))
        run_id = runs.run_id(environment, job, run, int(str(decision["attempt"])))
        shown = self.document(indices.JOB_EVENTS, run_id)
        return decision if shown is None else approvals.with_run(decision, shown)


def sources(model: str) -> tuple[indices.Family, ...]:
    """Families of events that a read model is made of."""
    if model == indices.JOB_ALERTS:
        return ("effect",)
    if model == indices.JOB_TRIGGERS:
        return ("job", "effect")
    if model.startswith((indices.JOB_EVENTS, indices.JOB_APPROVALS, indices.JOB_LINE_ITEMS)):
        return ("job", "approval")
    return indices.FAMILIES


def _with_sources(models: Collection[str]) -> frozenset[str]:
    """Decisions show the quality of their runs; line items follow from them."""
    follow = {indices.JOB_APPROVALS, indices.JOB_LINE_ITEMS} & set(models)
    return frozenset(models) | ({indices.JOB_EVENTS} if follow else set())


def _pack(state: JsonObject) -> bytes:
    return zlib.compress(orjson.dumps(state), 1)


def _unpack(packed: bytes) -> JsonObject:
    state: JsonObject = orjson.loads(zlib.decompress(packed))
    return state
