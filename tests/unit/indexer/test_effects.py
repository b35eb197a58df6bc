import json

import pytest
from dwh_contracts.clock import ManualClock, SystemClock
from dwh_contracts.parse import event_from_body
from dwh_contracts.quarantine import QuarantineReason
from dwh_contracts.testing import a_job_event
from dwh_contracts.times import format_time
from dwh_eventstore import Appended, Entry, StoreUnavailable, memory_store
from dwh_eventstore.replay import Sweep
from dwh_indexer.effects import Indexing, Repair
from dwh_indexer.metrics import SWEEP_REPAIRED
from dwh_runtime.intake import Origin, Received
from dwh_runtime.metrics import STORE_APPEND
from dwh_runtime.outcomes import Duplicate, Poison, Unavailable


def an_event(**over):
    timestamp = over.pop("timestamp", format_time(SystemClock().now()))
    return event_from_body(a_job_event(environment="local", timestamp=timestamp, **over))


def received(*events):
    return [Received(event, Origin("topic", None, f"sqs-{i}")) for i, event in enumerate(events)]


class Died(BaseException):
    """The process ends here."""


class DyingFolds:
    async def fold(self, _events):
        raise Died


@pytest.fixture
def store():
    return memory_store(environment="local")


@pytest.fixture
def indexing(store):
    return Indexing(store.events, store.read_models, SystemClock())


async def test_an_event_is_stored_and_folded(store, indexing):
    event = an_event()
    assert await indexing.index(received(event)) == [None]
    assert (await store.events.get(event.event_id, event.timestamp)).body == event.body
    assert (await store.read_models.get("job-events", event.event_id))["job_run_id"] == event.job_run_id


async def test_a_second_copy_changes_nothing(store, indexing):
    event = an_event()
    await indexing.index(received(event))
    before = await store.read_models.get("job-events", event.event_id)
    (outcome,) = await indexing.index(received(event))
    assert isinstance(outcome, Duplicate)
    assert await store.read_models.get("job-events", event.event_id) == before


async def test_the_same_id_with_other_content_is_poison_and_the_first_stays(store, indexing):
    first = an_event()
    other = event_from_body(first.body | {"producer": "somebody else"})
    await indexing.index(received(first))
    (outcome,) = await indexing.index(received(other))
    assert isinstance(outcome, Poison)
    assert outcome.reason is QuarantineReason.CONFLICTING_CONTENT
    assert (await store.events.get(first.event_id, first.timestamp)).body == first.body


async def test_items_of_one_batch_have_their_own_fates(indexing):
    first, fresh = an_event(), an_event(job_run_id="run-2")
    conflicting = event_from_body(first.body | {"producer": "somebody else"})
    outcomes = await indexing.index(received(first, first, conflicting, fresh))
    assert [type(outcome) for outcome in outcomes] == [type(None), Duplicate, Poison, type(None)]


async def test_killed_after_the_append_before_the_fold_the_redelivery_folds(store, indexing):
    event = an_event()
    with pytest.raises(Died):
        await Indexing(store.events, DyingFolds(), SystemClock()).index(received(event))
    assert await store.events.get(event.event_id, event.timestamp) is not None
    assert await store.read_models.get("job-events", event.event_id) is None
    await indexing.index(received(event))
    assert await store.read_models.get("job-events", event.event_id) is not None


async def test_unknown_fields_are_stored(store, indexing):
    event = event_from_body(an_event().body | {"a_field_of_2031": {"deep": [1, 2]}})
    await indexing.index(received(event))
    stored = await store.events.get(event.event_id, event.timestamp)
    assert json.dumps(stored.body["a_field_of_2031"]) == '{"deep": [1, 2]}'


async def test_what_a_dag_run_says_reaches_its_trigger(store, indexing):
    body = {
        "schema_version": "1.0",
        "event_type": "dag_run_created",
        "environment": "local",
        "job_name": "transform_images",
        "job_run_id": "run-1",
        "attempt": 1,
        "timestamp": format_time(SystemClock().now()),
        "dag_id": "filter_image_glue_pyspark",
        "dag_run_id": "trig__transform_images__" + "a" * 32,
        "trigger_id": "a" * 32,
    }
    await indexing.index(received(event_from_body(body)))
    trigger = await store.read_models.get("job-triggers", "a" * 32)
    assert trigger["dag_run_id"] == body["dag_run_id"]


class AbsentEvents:
    async def put(self, _events, _origin=None):
        raise StoreUnavailable("the store does not answer")


class BusyEvents:
    async def put(self, events, _origin=None):
        return [Entry(Appended.BUSY, None) for _ in events]


async def test_an_overloaded_store_is_no_failure_of_the_message(store):
    indexing = Indexing(BusyEvents(), store.read_models, SystemClock())
    assert [type(outcome) for outcome in await indexing.index(received(an_event()))] == [Unavailable]


def failed_appends():
    return STORE_APPEND.labels("indexer", "failed")._value.get()


async def test_a_batch_that_the_store_did_not_take_counts_as_failed_event_by_event(store):
    before = failed_appends()
    indexing = Indexing(AbsentEvents(), store.read_models, SystemClock())
    with pytest.raises(StoreUnavailable):
        await indexing.index(received(an_event(job_run_id="run-1"), an_event(job_run_id="run-2")))
    assert failed_appends() - before == 2


async def test_what_died_before_its_fold_is_repaired_after_ten_minutes_and_counted():
    clock = ManualClock(SystemClock().now())
    store = memory_store(environment="local", clock=clock)
    event = an_event()
    with pytest.raises(Died):
        await Indexing(store.events, DyingFolds(), clock).index(received(event))
    repair = Repair(Sweep(store.backend, store.read_models, clock))
    counts = []
    for _ in range(5):
        await repair.tick()
        counts.append(SWEEP_REPAIRED.labels("indexer")._value.get())
        clock.advance(600)
    assert counts[1] - counts[0] == 4  # the run in two indices, its two lines
    assert counts[1:] == [counts[1]] * 4
    assert await store.read_models.get("job-events", event.event_id) is not None
