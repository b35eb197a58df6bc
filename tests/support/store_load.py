"""A load of events made from numbers alone: runs with all that may follow from them, copies, and bad ones.

What is good in it and what must become of each bad message is known beforehand.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dwh_contracts import ids
from dwh_contracts.canonical import JsonObject, canonical_json
from dwh_contracts.parse import Event
from dwh_eventstore.testing import RunFacts

JOBS = ("load_a", "load-a", "Load.A", "load_b")
"""Names that differ in one sign or in their case have an index each."""
DUPLICATES, BAD = 0.05, 0.01
_LATE_SHARE = 10
"""One of so many copies, and of bad messages, comes after everything else."""


class LoadedRun(RunFacts):
    """A run with an incident of its own."""

    @property
    def incident_id(self) -> str:
        key = f"{self.environment}/{self.job_name}/{self.job_run_id}"
        return ids.incident_id(self.environment, key, 1)


@dataclass
class Load:
    """Messages as they are sent, and what must be found afterwards."""

    good: list[Event]
    first: list[bytes] = field(default_factory=list)
    second: list[bytes] = field(default_factory=list)
    """Sent when all of `first` was handled: other content under known ids, among copies."""
    bad: dict[str, str] = field(default_factory=dict)
    """Quarantine id and reason."""


def make_load(messages: int, *, environment: str, start: datetime, seed: int) -> Load:
    """So many messages in random order, 5 % of them copies and 1 % bad."""
    chance = random.Random(seed)
    bad, copies = int(messages * BAD), int(messages * DUPLICATES)
    conflicts, late_copies = max(1, bad // _LATE_SHARE), max(1, copies // _LATE_SHARE)
    load = Load(list(_good(messages - bad - copies, environment, start)))
    copied = [_raw(event.body) for event in chance.choices(load.good, k=copies)]
    refused = list(itertools.islice(_bad(environment, start), bad - conflicts))
    load.first = [*(_raw(event.body) for event in load.good), *copied[late_copies:], *(r for r, _ in refused)]
    chance.shuffle(load.first)
    changed = [
        _raw(event.body | {"producer": "somebody else"})
        for event in chance.sample(
            [each for each in load.good if each.event_type == "job_completed"], conflicts
        )
    ]
    load.second = [*changed, *copied[:late_copies]]
    chance.shuffle(load.second)
    for raw, reason in [*refused, *((raw, "conflicting-content") for raw in changed)]:
        load.bad[ids.quarantine_id("indexer", raw)] = reason
    return load


def story(number: int, environment: str, start: datetime) -> list[Event]:
    """All that follows from one run: eight different ones by its number, in all families of events."""
    run = _run(number, environment, start)
    colour = ("RED", "YELLOW", "GREEN", "GREEN", "GREEN")[number % 5]
    events = [run.started(), run.completed(colour, metrics=_metrics(run, number))]
    events += _asked(run, number) if colour == "RED" else _triggered(run)
    if number % 7 == 0:
        again = LoadedRun(run.job_name, run.job_run_id, 2, environment, run.start)
        events += [again.started(28), again.completed("GREEN", 30, metrics=_metrics(again, number + 1))]
    return events


def _good(count: int, environment: str, start: datetime) -> Iterator[Event]:
    left = count
    for number in itertools.count():
        events = story(number, environment, start)
        if len(events) > left:
            break
        left -= len(events)
        yield from events
    for number in range(left):
        yield LoadedRun(JOBS[0], f"only-started-{number}", 1, environment, start).started()


def _run(number: int, environment: str, start: datetime) -> LoadedRun:
    moment = start + timedelta(milliseconds=number)
    return LoadedRun(JOBS[number % len(JOBS)], f"load-{number}", 1, environment, moment)


def _metrics(run: RunFacts, number: int) -> JsonObject:
    types = [{"name": name, "records": number % 97, "dropped": 1} for name in ("a", "b", "a")]
    summary = [{"category": "n", "records": number, "bytes": 7 * number, "file_count": 2}]
    payload: JsonObject = {"transform": {"data_types": types}, "load": {"output_summary": summary}}
    reasons = [{"reason": reason, "count": number % 50 + 1} for reason in ("corrupt", "late")[: number % 3]]
    return run.metrics(payload) | {"records_read": 200 + number, "drop_reasons": reasons}


def _asked(run: LoadedRun, number: int) -> list[Event]:
    """A decision was asked for: approved with a contrary voice, rejected, or left to the clock."""
    told = [run.requested(), run.incident(1), run.incident(2, "resolved", 9), run.notification("sent", 2, 10)]
    if number % 3 == 2:
        return [*told, run.expired(minute=12)]
    if number % 3 == 1:
        rejected = run.decision("REJECTED", "bob")
        return [*told, rejected, run.accepted(rejected)]
    approved, contrary = run.decision("APPROVED", "ann"), run.decision("REJECTED", "bob", 4)
    return [*told, approved, contrary, run.accepted(approved), run.verdict(contrary, "conflict")]


def _triggered(run: LoadedRun) -> list[Event]:
    end = {"state": "success", "duration_seconds": 1.0, "end_date": run.at(6)}
    dag_run = [run.dag_run("dag_run_created", 4), run.dag_run("dag_run_finished", 6, **end)]
    return [run.trigger("requested"), run.trigger("sent", 3), *dag_run]


def _bad(environment: str, start: datetime) -> Iterator[tuple[bytes, str]]:
    """Messages that must be refused, and the reason."""
    for number in itertools.count():
        run = LoadedRun(JOBS[0], f"bad-{number}", 1, environment, start)
        body = run.completed("GREEN").body
        yield f'{{"number": {number}, "not": '.encode(), "not-json"
        yield f"[{number}]".encode(), "not-an-object"
        yield _raw(body | {"event_type": "job_exploded"}), "unknown-event-type"
        yield (
            _raw({name: value for name, value in body.items() if name != "job_run_id"} | {"n": number}),
            ("missing-field"),
        )
        yield _raw(body | {"job_name": ("../x", "_all", "a,b", "\N{PILE OF POO}")[number % 4]}), "bad-name"
        yield _raw(body | {"environment": "elsewhere"}), "wrong-environment"
        yield _raw(body | {"timestamp": run.at(-500 * 24 * 60)}), "time-out-of-range"


def _raw(body: JsonObject) -> bytes:
    return canonical_json(body)
