"""Read models folded in memory, independent of what stands in the engine.

States are kept packed, by what they differ in from the first of their read model: a run takes about 100
bytes here against 10 kB as objects.
"""

import zlib
from collections.abc import Collection, Iterable, Mapping

import orjson
from dwh_contracts.canonical import JsonObject
from dwh_contracts.parse import Event

from dwh_eventstore import folds, indices
from dwh_eventstore.folds import approvals, line_items, runs

_DERIVED = frozenset({indices.JOB_APPROVALS, indices.JOB_LINE_ITEMS})
"""Documents that are not what is kept of them: a part comes from their runs."""
_WINDOW_BITS = -14
"""Raw, and for documents of up to 16 kB: a smaller window is cheaper to set up."""
_MEMORY_LEVEL = 5


class _States:
    """Documents by id, packed."""

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}
        self._alike = b""
        """The first document; what others have in common with it is not kept again."""

    def __setitem__(self, document_id: str, state: JsonObject) -> None:
        told = canonical(state)
        self._alike = self._alike or told
        packing = zlib.compressobj(
            1, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, zlib.Z_DEFAULT_STRATEGY, self._alike
        )
        self._packed[document_id] = packing.compress(told) + packing.flush()

    def canonical(self, document_id: str) -> bytes | None:
        """A document as `canonical` writes it, or None."""
        packed = self._packed.get(document_id)
        return None if packed is None else zlib.decompressobj(_WINDOW_BITS, self._alike).decompress(packed)

    def get(self, document_id: str) -> JsonObject | None:
        """A document, or None."""
        told = self.canonical(document_id)
        return None if told is None else orjson.loads(told)

    def ids(self) -> Collection[str]:
        """Of all documents."""
        return self._packed.keys()


class Projection:
    """The documents of some read models (all when None are named) after the events folded so far.

    Those of `shared`, the read models of jobs that share an index, are documents of its read model.
    """

    def __init__(
        self, models: Collection[str] | None = None, *, shared: frozenset[str] = frozenset()
    ) -> None:
        self._wanted = None if models is None else with_sources(models)
        self.shared = shared
        self._states: dict[str, _States] = {}
        self._run_of_line: dict[str, str] = {}
        """Line items follow from the documents of their runs, so they are not kept."""
        self._lines_of_run: tuple[str, Mapping[str, JsonObject]] = ("", {})
        """Of the run asked for last: its lines lie together."""
        self._has_lines = models is None or indices.JOB_LINE_ITEMS in models

    @property
    def models(self) -> list[str]:
        """Read models that have a document."""
        derived = {indices.JOB_LINE_ITEMS} if self._run_of_line else set()
        return sorted(self._states.keys() | derived)

    def fold(self, events: Iterable[Event]) -> None:
        """Fold events; order and repetition do not matter."""
        self._lines_of_run = ("", {})
        for event in events:
            for target in folds.targets(event):
                model = indices.SHARED_JOBS if target.model in self.shared else target.model
                if self._wanted is None or model in self._wanted:
                    states = self._of(model)
                    state = states[target.id] = folds.fold(states.get(target.id), event, target)
                    if self._has_lines and target.model == indices.JOB_EVENTS:
                        self._run_of_line |= {item: target.id for item, _ in line_items.of_run(state)}

    def ids(self, model: str) -> Collection[str]:
        """Ids of the documents of a read model."""
        if model == indices.JOB_LINE_ITEMS:
            return self._run_of_line.keys()
        return self._states[model].ids() if model in self._states else ()

    def document(self, model: str, document_id: str) -> JsonObject | None:
        """A document as the read model should hold it, or None."""
        if model == indices.JOB_LINE_ITEMS:
            return self._line(document_id)
        state = self._states[model].get(document_id) if model in self._states else None
        if state is None or model != indices.JOB_APPROVALS:
            return state
        return self._with_quality(state)

    def agrees(self, model: str, document_id: str, canonical: bytes) -> bool:
        """Whether the document is, sign by sign, this `canonical`; cheap, and False proves nothing."""
        if model in _DERIVED or model not in self._states:
            return False
        return self._states[model].canonical(document_id) == canonical

    def _of(self, model: str) -> _States:
        if model not in self._states:
            self._states[model] = _States()
        return self._states[model]

    def _line(self, item_id: str) -> JsonObject | None:
        run_id = self._run_of_line.get(item_id)
        if run_id is None:
            return None
        if self._lines_of_run[0] != run_id:
            self._lines_of_run = (run_id, self._lines(run_id))
        return self._lines_of_run[1][item_id]

    def _lines(self, run_id: str) -> Mapping[str, JsonObject]:
        run = self._states[indices.JOB_EVENTS].get(run_id)
        return (
            {}
            if run is None
            else {
                item_id: line_items.with_run(None, item_id=item_id, line=line, run=run)
                for item_id, line in line_items.of_run(run)
            }
        )

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


def canonical(document: JsonObject) -> bytes:
    """Equal for equal documents that write their numbers alike."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
