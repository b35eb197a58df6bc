import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from dwh_contracts.clock import ManualClock
from dwh_eventstore import Store, StoreSettings, StoreUnavailable, bootstrap, indices, mappings, open_store
from dwh_eventstore.opensearch import OpenSearchBackend
from dwh_eventstore.testing import BackendSuite, RunFacts, StoreSuite
from dwh_eventstore.testing.backend_suite import make_indices
from dwh_eventstore.testing.events import START
from dwh_eventstore.testing.race_suite import job_of
from dwh_local.opensearch import Node

pytestmark = pytest.mark.integration
EVERYTHING = "contract-*,events-*,rm-*,effects-v1,decisions-v1,event-digests-v1"


@pytest.fixture
def settings(node_of_each_line: Node) -> StoreSettings:
    return StoreSettings(url=node_of_each_line.url, environment="local", service="test")


@pytest.fixture
async def empty(settings: StoreSettings) -> AsyncIterator[OpenSearchBackend]:
    backend = OpenSearchBackend(settings)
    await backend._ask("DELETE", f"/{EVERYTHING}", params={"ignore_unavailable": "true"}, missing={})
    await backend.forbid_auto_create(["events-*", "rm-*", "contract-*"])
    yield backend
    await backend.close()


class TestOpenSearchBackend(BackendSuite):
    @pytest.fixture
    async def backend(self, empty: OpenSearchBackend) -> OpenSearchBackend:
        await make_indices(empty)
        return empty


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture(scope="module")
def _bootstrapped() -> set[str]:
    """URLs of nodes that were bootstrapped: months and read models are shared, environments are not."""
    return set()


@pytest.fixture
async def store(
    settings: StoreSettings, clock: ManualClock, environment: str, _bootstrapped: set[str]
) -> AsyncIterator[Store]:
    if settings.url not in _bootstrapped:
        await bootstrap(settings, clock=clock)
        _bootstrapped.add(settings.url)
    opened = await open_store(replace(settings, environment=environment), ImpatientClock(clock))
    yield opened
    await opened.close()


@pytest.fixture
async def broken(
    empty: OpenSearchBackend, settings: StoreSettings, clock: ManualClock, _bootstrapped: set[str]
) -> AsyncIterator[Store]:
    """A store of its own, for tests that break its indices."""
    await bootstrap(settings, clock=clock)
    _bootstrapped.clear()
    opened = await open_store(settings, ImpatientClock(clock))
    yield opened
    await opened.close()


class ImpatientClock:
    """The test's time, but retries wait in real time: nobody advances the clock for them."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def now(self):
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _definitions(backend: OpenSearchBackend) -> tuple[dict, dict, dict]:
    """All that somebody can define, with how often each was changed."""
    state = (await backend._ask("GET", "/_cluster/state/metadata"))["metadata"]
    parts = ("settings", "mappings", "aliases", "settings_version", "mapping_version", "aliases_version")
    indices = {name: {part: told[part] for part in parts} for name, told in state["indices"].items()}
    return indices, state["index_template"], await backend._ask("GET", "/_cluster/settings")


def _own(store: Store) -> str:
    return indices.job_read_model(job_of(store).job_name)


class TestStoreOverOpenSearch(StoreSuite):
    async def test_the_engine_itself_refuses_to_change_or_delete_an_event(self, store: Store) -> None:
        event = job_of(store).completed("GREEN")
        await store.events.append([event])
        index = indices.month_index("job", event.timestamp)
        everything = {"query": {"match_all": {}}}
        for method, path, body in (
            ("PUT", f"/{index}/_doc/{event.event_id}", {"event_id": "x"}),
            ("POST", f"/{index}/_update/{event.event_id}", {"doc": {"event_id": "x"}}),
            ("DELETE", f"/{index}/_doc/{event.event_id}", None),
            ("POST", f"/{index}/_delete_by_query", everything),
            ("POST", f"/{index}/_update_by_query", everything),
            ("PUT", f"/{index}/_settings", {"index.append_only.enabled": False}),
        ):
            with pytest.raises(StoreUnavailable, match="answered 400"):
                await store.backend._ask(method, path, body)
        assert await store.events.get(event.event_id, event.timestamp) == event

    async def test_bootstrap_names_what_is_missing_and_then_nothing(
        self, empty: OpenSearchBackend, settings: StoreSettings, clock: ManualClock
    ) -> None:
        missing = await bootstrap(settings, check=True, clock=clock)
        made = await bootstrap(settings, clock=clock)
        assert "index events-job-v1-2026-11 is missing" in missing
        assert sum(problem.endswith("is missing") and "events-" in problem for problem in missing) >= 17
        assert made == missing
        assert await bootstrap(settings, check=True, clock=clock) == []

    async def test_bootstrap_twice_changes_nothing(
        self, empty: OpenSearchBackend, settings: StoreSettings, clock: ManualClock
    ) -> None:
        await bootstrap(settings, clock=clock)
        before = await _definitions(empty)
        assert await bootstrap(settings, clock=clock) == []
        assert await _definitions(empty) == before
        assert len(before[0]) >= 17

    async def test_bootstrap_names_an_index_that_is_not_append_only(
        self, empty: OpenSearchBackend, settings: StoreSettings, clock: ManualClock
    ) -> None:
        await empty.create_index("events-late-v1", {"settings": {"index.number_of_replicas": 0}})
        problems = await bootstrap(settings, clock=clock)
        assert "index events-late-v1: index.append_only.enabled is None, not True" in problems

    async def test_with_refresh_disabled_events_are_stored_once_and_claims_have_one_owner(
        self, broken: Store, empty: OpenSearchBackend
    ) -> None:
        for index in ("events-job-v1-2026-11", "effects-v1", "rm-job-events-v0001"):
            await empty._ask("PUT", f"/{index}/_settings", {"index.refresh_interval": "-1"})
        event = RunFacts().completed()
        outcomes = [(await broken.record([event]))[0] for _ in range(2)]
        claims = [await broken.claims.acquire("trigger|1", owner=owner, lease_seconds=30) for owner in "ab"]
        assert [outcome.value for outcome in outcomes] == ["stored", "duplicate"]
        assert [claim.state.value for claim in claims] == ["acquired", "held"]

    async def test_numbers_of_a_payload_are_found_as_doubles(self, store: Store) -> None:
        first, second = job_of(store), job_of(store, "run-2")
        await store.record([first.completed("GREEN", metrics=first.metrics({"rate": 1}))])
        await store.record([second.completed("GREEN", metrics=second.metrics({"rate": 1.5}))])
        await store.refresh()
        page = await store.read_models.search(_own(store), {"metrics.payload.rate": 1.5})
        assert [document["job_run_id"] for document in page.items] == ["run-2"]

    async def test_hostile_text_is_stored_and_blocks_nothing(self, store: Store) -> None:
        run = job_of(store)
        metrics = run.metrics({"text": "{{ 7*7 }}" * 9000})
        metrics |= {"start_date": "not a date", "created_by": "x" * 40_000}
        await store.record([run.completed("GREEN", metrics=metrics, artifacts_base_path="y" * 40_000)])
        document = await store.read_models.get("job-events", run.run_id)
        assert document is not None
        assert document["metrics"]["start_date"] == "not a date"

    async def test_a_search_that_lacks_an_index_is_an_error_not_an_empty_page(
        self, broken: Store, empty: OpenSearchBackend
    ) -> None:
        await empty._ask("DELETE", f"/{indices.LATE}")
        with pytest.raises(StoreUnavailable, match=indices.LATE):
            await broken.events.find("job", {"job_run_id": "run-1"})

    async def test_a_writer_of_other_folds_is_not_ready_and_refuses_to_write(
        self, broken: Store, empty: OpenSearchBackend
    ) -> None:
        async def written_by(version: int) -> None:
            await empty._ask("PUT", "/rm-job-events-v0001/_mapping", {"_meta": {"fold_version": version}})

        async def started() -> None:
            service = Store(empty, environment="local", service="test", clock=broken.clock)
            await service.ready()

        await started()
        await written_by(99)
        with pytest.raises(StoreUnavailable, match="version 99"):
            await started()
        with pytest.raises(StoreUnavailable, match="version 99"):
            await broken.record([RunFacts().completed("GREEN")])
        await written_by(mappings.FOLD_VERSION)  # other tests share the node


async def test_a_server_that_is_not_there_is_named_with_its_address() -> None:
    store = await open_store(StoreSettings("http://127.0.0.1:9", environment="local", service="test"))
    with pytest.raises(StoreUnavailable, match=r"http://127\.0\.0\.1:9"):
        await store.ping()
    await store.close()
