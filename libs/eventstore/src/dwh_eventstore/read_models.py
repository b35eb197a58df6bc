"""Keep read models up to date and read them.

A batch of events is folded document by document and written by compare-and-set, so any number of writers
may fold the same events at once and any of them may die in between: folding again repairs it. A document
that is likely new is created without a look; a conflict then tells that there is one to read and fold on.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.parse import Event
from dwh_contracts.times import format_time
from pydantic import JsonValue

from dwh_eventstore import folds, indices, mappings
from dwh_eventstore.backend import Backend, Create, Fate, Found, Query, Replace, Where, Write, Written
from dwh_eventstore.definitions import read_model_definition
from dwh_eventstore.documents import Documents
from dwh_eventstore.errors import AppendRejected, StoreUnavailable
from dwh_eventstore.folds import approvals, line_items, runs
from dwh_eventstore.folds.registers import visible
from dwh_eventstore.mapping_check import fitting
from dwh_eventstore.writer import all_ended

Change = Callable[[JsonObject | None], JsonObject]
Plan = dict[str, list[Change]]
"""Changes per document id."""

_TRIES = 30
_FIRST_WAIT_SECONDS = 0.01
_LONGEST_WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Page:
    """A page of documents; `after` asks for the next one and is None on the last."""

    items: list[JsonObject]
    after: list[JsonValue] | None


class ReadModels:
    """`job-events`, `job-events-<slug>`, `job-line-items`, `job-approvals`, `job-triggers`, `job-alerts`."""

    def __init__(
        self,
        backend: Backend,
        *,
        clock: Clock,
        replicas: int,
        jitter: Callable[[], float],
        most_job_indices: int = indices.MOST_JOB_INDICES,
        pinned: Mapping[str, str] | None = None,
    ) -> None:
        """Jobs that are seen first when there are `most_job_indices` share one index, each by its alias.

        With `pinned` (read model → index) these indices are written, whatever the aliases name.
        """
        self._most_job_indices = most_job_indices
        self._backend = backend
        self._clock = clock
        self._replicas = replicas
        self._jitter = jitter
        self._pinned = pinned or {}
        self._checked: set[str] = set()
        self._mostly_there: set[str] = set()
        """Read models most of whose documents existed in the last batch: those are read before written."""

    async def fold(self, events: Sequence[Event]) -> None:
        """Bring every document that these events belong to up to date.

        Raises:
            StoreUnavailable: some documents may be behind; fold the same events again.
        """
        await self.refold(events)

    async def refold(self, events: Sequence[Event], models: Container[str] | None = None) -> int:
        """`fold`, of these read models only; how many documents were behind and had to be written."""

        def wanted(model: str) -> bool:
            return models is None or model in models

        jobs = {indices.job_read_model(event.job_name): event.job_name for event in events if event.job_name}
        plans = _plans(events, wanted)
        decisions = plans.pop(indices.JOB_APPROVALS, {})
        lines: Plan = {}
        total = 0
        applied = [self._apply(model, plan, jobs.get(model, "")) for model, plan in plans.items()]
        for model, (documents, count) in zip(plans, await all_ended(applied), strict=True):
            total += count
            if model != indices.JOB_EVENTS:
                continue
            if wanted(indices.JOB_APPROVALS):
                _add_quality(decisions, documents)
            if wanted(indices.JOB_LINE_ITEMS):
                _add_lines(lines, documents)
        if decisions:
            total += (await self._apply(indices.JOB_APPROVALS, decisions))[1]
        if lines and any(runs.is_run_event(event) for event in events):
            total += (await self._apply(indices.JOB_LINE_ITEMS, lines))[1]
        return total

    async def _apply(self, model: str, plan: Plan, job_name: str = "") -> tuple[list[JsonObject], int]:
        """Write the documents of one read model; the states after it and how many had to change."""
        index = await self._index(model, job_name)
        written: set[str] = set()
        waiting, states = dict(plan), dict[str, JsonObject]()
        unread = model not in self._mostly_there
        for attempt in range(_TRIES):
            if attempt > unread:
                await self._clock.sleep(self._wait(attempt))
            found: list[Found | None] = [None] * len(waiting)
            if attempt or not unread:
                found = await self._backend.read([(index, document) for document in waiting])
            changed: list[tuple[str, Write]] = []
            for (document, changes), stored in zip(waiting.items(), found, strict=True):
                states[document], write = _next(index, document, stored, changes)
                changed += [(document, write)] if write else []
            left = await self._write(model, changed)
            if not attempt:
                there = len(left) if unread else sum(stored is not None for stored in found)
                self._remember(model, mostly_there=2 * there > len(plan))
            written.update(document for document, _ in changed)
            written.difference_update(left)
            waiting = {document: waiting[document] for document in left}
            if not waiting:
                return list(states.values()), len(written)
        raise StoreUnavailable(f"{len(waiting)} documents of {index} changed hands {_TRIES} times")

    def _remember(self, model: str, *, mostly_there: bool) -> None:
        if mostly_there:
            self._mostly_there.add(model)
        else:
            self._mostly_there.discard(model)

    async def _write(self, model: str, changed: Sequence[tuple[str, Write]]) -> list[str]:
        """Ids that must be tried again.

        A document that is refused is written with less: a field that nobody typed may hold anything, and one
        event must not stop its neighbours, nor the sweep and every rebuild after it.
        """
        if not changed:
            return []
        writes = [write for _, write in changed]
        fates = await self._backend.write(writes)
        for less in (_without_payload, partial(_fitting, model)):
            refused = [place for place, written in enumerate(fates) if written.fate is Fate.REFUSED]
            again = {place: body for place in refused if (body := less(writes[place].body)) is not None}
            for place, body in again.items():
                writes[place] = replace(writes[place], body=body)
            told = await self._backend.write([writes[place] for place in again]) if again else []
            for place, written in zip(again, told, strict=True):
                fates[place] = written
        for (document, write), written in zip(changed, fates, strict=True):
            if written.fate not in {Fate.WRITTEN, Fate.CONFLICT}:
                raise _failure(f"{write.index}/{document} was not written: {written.detail}", written)
        return [
            document
            for (document, _), written in zip(changed, fates, strict=True)
            if written.fate is Fate.CONFLICT
        ]

    def _wait(self, attempt: int) -> float:
        longest: float = min(_FIRST_WAIT_SECONDS * 2**attempt, _LONGEST_WAIT_SECONDS)
        return longest * self._jitter()

    async def _index(self, model: str, job_name: str) -> str:
        """The index behind the alias; a batch stays with it even if the alias moves meanwhile."""
        index = self._pinned.get(model) or await self.place(model, job_name)
        await self._check_version(index)
        return index

    async def place(self, model: str, job_name: str = "") -> str:
        """The index behind the alias; that of a job which is seen first is made.

        Raises:
            StoreUnavailable: there is no such read model.
        """
        index = await self._backend.resolve(model)
        if index is None and job_name:
            await self._open_job(model, job_name)
            index = await self._backend.resolve(model)
        if index is None:
            raise StoreUnavailable(f"the read model {model} does not exist; run `dwh bootstrap`")
        return index

    async def check(self) -> None:
        """Return if every read model that exists is of these folds.

        Raises:
            StoreUnavailable: one is not; nothing may be written to it.
        """
        for model in indices.FIXED_READ_MODELS:
            index = await self._backend.resolve(model)
            if index is not None:
                await self._check_version(index)

    async def _open_job(self, model: str, job_name: str) -> None:
        """An index for the job, or its part of the shared one when there are enough indices.

        Who comes first decides for all: an alias of two indices could not be written.
        """
        names = await self._backend.names(indices.job_indices())
        taken = {indices.model_of(name) for name in names if not indices.is_shared(name)}
        if await self._decided(model, "own" if len(taken) < self._most_job_indices else "shared") == "own":
            definition = read_model_definition(model, self._replicas)
            await self._backend.create_index(indices.physical(model), definition)
            return
        where = {"job_name": job_name}
        while not await self._backend.add_alias(
            await self._shared_index(), model, where, beside=indices.SHARED_JOBS
        ):
            pass  # a rebuild took its place meanwhile

    async def _shared_index(self) -> str:
        """The index that jobs share, made when there is none."""
        index = await self._backend.resolve(indices.SHARED_JOBS)
        if index is not None:
            return index
        index = indices.physical(indices.SHARED_JOBS)
        definition = read_model_definition(indices.SHARED_JOBS, self._replicas)
        if await self._backend.create_index(index, definition):
            return index
        known = await self._backend.resolve(indices.SHARED_JOBS)
        if known is None:  # an index from before it had an alias of its own
            await self._backend.move_aliases({indices.SHARED_JOBS: {}}, None, index)
        return known or index

    async def _decided(self, model: str, place: str) -> str:
        documents, key = Documents(self._backend, indices.EFFECTS), f"job_index|{model}"
        body: JsonObject = {"kind": "job_index", "name": model, "state": place}
        if await documents.create(key, body | {"created_at": format_time(self._clock.now())}):
            return place
        held = await documents.get(key)
        return str(held.body["state"]) if held else place

    async def _check_version(self, index: str) -> None:
        if index in self._checked:
            return
        description = await self._backend.describe(index) or {}
        version = mappings.fold_version(description.get("mappings"))
        if version != mappings.FOLD_VERSION:
            ours = mappings.FOLD_VERSION
            raise StoreUnavailable(
                f"{index} is written by folds of version {version}, this release has {ours}; "
                "`dwh store rebuild` of the newer release makes it anew"
            )
        self._checked.add(index)

    async def get(self, name: str, document_id: str) -> JsonObject | None:
        """The document as it is now, or None."""
        [found] = await self._backend.read([(name, document_id)])
        return None if found is None else visible(found.body)

    async def search(
        self,
        name: str,
        where: Where,
        *,
        since: str | None = None,
        until: str | None = None,
        sort: tuple[str, str] = ("timestamp", "desc"),
        limit: int = 50,
        after: Sequence[JsonValue] | None = None,
    ) -> Page:
        """Documents with these values, up to about a second behind; `since` is inclusive, `until` is not.

        Raises:
            ValueError: a field that the read model is not searchable by.
        """
        for path in [*where, sort[0]]:
            if not mappings.searchable(name, path):
                raise ValueError(f"{name} is not searchable by {path}")
        if name not in indices.FIXED_READ_MODELS and await self._backend.resolve(name) is None:
            return Page([], None)
        query = Query(
            indices=(name,),
            where=where,
            ranges={"timestamp": (since, until)} if since or until else {},
            sort=(sort, ("id", sort[1])),
            limit=limit,
            after=after,
        )
        hits = await self._backend.search(query)
        more = list(hits[-1].sort) if len(hits) == limit else None
        return Page([visible(hit.body) for hit in hits], more)

    async def refresh(self, name: str) -> None:
        """Make everything folded before visible to `search`."""
        await self._backend.refresh([name])


def _folded(state: JsonObject | None, *, event: Event, target: folds.Target) -> JsonObject:
    return folds.fold(state, event, target)


def _add_quality(decisions: Plan, documents: Sequence[JsonObject]) -> None:
    """Let each decision learn the quality of its run.

    Whoever folds second, run or decision, sees both in the run's document, so neither order misses it.
    """
    for run in documents:
        items = run["approvals"]
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict):
                change = partial(_with_run, item=item, run=run)
                decisions.setdefault(str(item["id"]), []).append(change)


def _plans(events: Sequence[Event], wanted: Callable[[str], bool]) -> dict[str, Plan]:
    """The changes that events make, by read model and document."""
    plans: dict[str, Plan] = {}
    for event in events:
        for target in folds.targets(event):
            if wanted(target.model):
                change = partial(_folded, event=event, target=target)
                plans.setdefault(target.model, {}).setdefault(target.id, []).append(change)
    return plans


def _add_lines(lines: Plan, documents: Sequence[JsonObject]) -> None:
    """Bring the line items of each run to what its document says."""
    for run in documents:
        for item_id, line in line_items.of_run(run):
            change = partial(line_items.with_run, item_id=item_id, line=line, run=run)
            lines.setdefault(item_id, []).append(change)


def _with_run(state: JsonObject | None, *, item: JsonObject, run: JsonObject) -> JsonObject:
    return approvals.with_run(state or item, run)


def _next(
    index: str, document: str, stored: Found | None, changes: Sequence[Change]
) -> tuple[JsonObject, Write | None]:
    """The next state of a document, and the write that makes it so, if it differs."""
    before = stored.body if stored else None
    state = reduce(lambda current, change: change(current), changes, before)
    if state is None:
        raise AssertionError("a fold always returns a document")
    if stored is None:
        return state, Create(index, document, state)
    if state == before:
        return state, None
    return state, Replace(index, document, state, stored.seq_no, stored.primary_term)


def _without_payload(body: JsonObject) -> JsonObject | None:
    """The document with its payload set aside, if it has one: a job's own fields may clash with others."""
    metrics = body.get("metrics")
    has_payload = isinstance(metrics, Mapping) and metrics.get("payload") is not None
    return runs.overflowed(body) if has_payload else None


def _fitting(model: str, body: JsonObject) -> JsonObject:
    return fitting(mappings.read_model(model), body)


def _failure(text: str, written: Written) -> Exception:
    return AppendRejected(text) if written.fate is Fate.REFUSED else StoreUnavailable(text)
