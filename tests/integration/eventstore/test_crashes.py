"""Writers and the node are killed with SIGKILL at any moment: nothing acknowledged is lost or double.

The short forms are those of `make test`, the full ones of `make prove`. A start of the node takes 3 s and
more, so that the short form kills it 3 times, not 20.
"""

import asyncio
import random
import time
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from dwh_contracts.clock import SystemClock
from dwh_eventstore import StoreSettings, bootstrap, open_store
from dwh_eventstore.indices import job_read_model
from dwh_local.opensearch import HIGHEST_PORT, LOWEST_PORT
from dwh_local.running import running_service
from dwh_local.testing import free_port
from store_findings import faults_of_read_models, logged, quarantined
from store_load import JOBS, make_load, story
from store_siege import MODELS, Aliases, Feeder, KillableNode, Siege, rebuild_all
from store_writers import Killable, append_stories

pytestmark = pytest.mark.integration
prove = pytest.mark.prove
RUNS_AT_ONCE = 3
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    port = free_port(LOWEST_PORT, HIGHEST_PORT - 1, skip=2)
    node = KillableNode(tmp_path_factory.mktemp("killed"), port)
    yield node
    node.stop()


@pytest.fixture
async def store(node, environment):
    settings = StoreSettings(url=node.url, environment=environment, service="test")
    await bootstrap(settings)
    opened = await open_store(settings)
    yield opened
    await opened.close()


class Writers:
    """Two writers of the same runs at once; whoever is killed is followed by another from what it told last.

    Moments of a kill are drawn in the pace of the writers, so that they hit on a slow machine, too.
    """

    def __init__(self, store, url, chance, **how):
        self._arguments = url, store.environment, SystemClock().now() - timedelta(hours=3)
        self._how, self._chance = how, chance
        self.acknowledged, self.next, self.kills, self.batches = set(), [0, 0], 0, 0
        self._pace_seconds = 0.1
        self._lanes, self._last = [None, None], [None, None]
        for lane in (0, 1):
            self._start(lane)

    def _start(self, lane):
        self._lanes[lane] = Killable(
            append_stories, *self._arguments, self.next[lane], RUNS_AT_ONCE, **self._how
        )
        self._last[lane] = None

    def listen(self, seconds):
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for lane, writer in enumerate(self._lanes):
                self._heard(lane, writer.heard(min(left, 0.01)))

    def until(self, holds):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < deadline
            self.listen(0.01)

    def kill_one(self):
        """Kill a writer within the time that two of its batches take, from its first one on."""
        lane = self.kills % 2
        self.until(lambda: self._last[lane] is not None)
        self.listen(self._chance.uniform(0, 2 * self._pace_seconds))
        self._heard(lane, self._lanes[lane].kill())
        self._start(lane)
        self.kills += 1

    def go_on(self, batches):
        """Return when so many more batches were acknowledged."""
        wanted = self.batches + batches
        self.until(lambda: self.batches >= wanted)

    def end(self):
        for lane, writer in enumerate(self._lanes):
            self._heard(lane, writer.kill())

    def events(self):
        """Everything that any of them may have sent."""
        _, environment, start = self._arguments
        return [e for n in range(max(self.next) + RUNS_AT_ONCE) for e in story(n, environment, start)]

    def _heard(self, lane, messages):
        for number, acknowledged in messages:
            self.next[lane] = number
            self.acknowledged.update(acknowledged)
            self.batches += bool(acknowledged)
            now = time.monotonic()
            if acknowledged and self._last[lane] is not None:
                self._pace_seconds += (min(now - self._last[lane], 1) - self._pace_seconds) / 10
            self._last[lane] = now


async def lost_and_doubled(store, writers):
    """How many acknowledged events the log has not, and how many it has twice."""
    ids = [event.event_id for event in await logged(store)]
    return len(writers.acknowledged - set(ids)), len(ids) - len(set(ids))


async def redelivered(store, writers):
    """What a queue would deliver again, and what is then wrong."""
    events = writers.events()
    for first in range(0, len(events), 500):
        await store.record(events[first : first + 500])
    assert sorted(e.event_id for e in await logged(store)) == sorted(e.event_id for e in events)
    return await faults_of_read_models(store, [event.body for event in events], against_log=False)


@pytest.mark.parametrize("kills", [20, pytest.param(1000, marks=[prove, pytest.mark.timeout(3600)])])
async def test_of_writers_killed_at_random_points_no_acknowledged_event_is_lost_or_double(
    store, node, kills, record_property
):
    writers = Writers(store, node.url, random.Random(kills))
    for _ in range(kills):
        writers.kill_one()
    writers.go_on(2)
    writers.end()
    record_property("acknowledged", len(writers.acknowledged))
    assert len(writers.acknowledged) > kills
    assert await lost_and_doubled(store, writers) == (0, 0)
    assert await redelivered(store, writers) == []


@pytest.mark.prove
async def test_a_writer_that_acknowledges_before_the_append_loses_events_so_the_kills_hit(store, node):
    writers = Writers(store, node.url, random.Random(1), before=True)
    for _ in range(50):
        writers.kill_one()
    writers.end()
    lost, doubled = await lost_and_doubled(store, writers)
    assert lost > 0
    assert doubled == 0
    assert await redelivered(store, writers) == []


async def killed_node(store, node, kills, chance):
    """Events lost at each kill, and how many are double at the end."""
    writers, lost = Writers(store, node.url, chance), []
    for _ in range(kills):
        writers.go_on(chance.randint(2, 8))
        node.kill()
        writers.listen(0.1)
        node.start()
        lost.append((await lost_and_doubled(store, writers))[0])
    writers.go_on(2)
    writers.end()
    return writers, lost


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=[prove, pytest.mark.timeout(3600)])])
async def test_of_a_node_killed_amid_bulk_requests_no_acknowledged_event_is_lost_or_double(
    store, node, kills, record_property
):
    writers, lost = await killed_node(store, node, kills, random.Random(kills))
    record_property("acknowledged", len(writers.acknowledged))
    assert lost == [0] * kills
    assert await lost_and_doubled(store, writers) == (0, 0)
    assert await redelivered(store, writers) == []


@pytest.mark.prove
async def test_with_an_asynchronous_translog_a_killed_node_loses_acknowledged_events(store, node):
    async def durability(value):
        await store.backend._ask("PUT", "/events-*/_settings", {"index.translog.durability": value})

    await durability("async")
    try:
        writers, [lost] = await killed_node(store, node, 1, random.Random(1))
    finally:
        await durability("request")
        await store.backend._ask("POST", "/events-*/_flush")  # what is not synced is below no checkpoint
    assert lost > 0
    assert await redelivered(store, writers) == []


@pytest.mark.prove
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("messages", "kill_every", "busy_seconds", "longest_rebuild"), [(8000, 1, 3, 0.8), (100_000, 10, 60, 10)]
)
async def test_two_indexers_under_kills_and_rebuilds_store_each_event_once_and_refuse_exactly_the_bad_ones(
    store, node, names, aws_environment, messages, kill_every, busy_seconds, longest_rebuild, record_property
):
    chance = random.Random(messages)
    start = SystemClock().now() - timedelta(hours=12)
    load = make_load(messages, environment=store.environment, start=start, seed=messages)
    settings = {"DWH_VISIBILITY_SECONDS": "20", "DWH_HANDLER_SECONDS": "20", "DWH_LOG_LEVEL": "WARNING"}
    feeder, aliases = Feeder(names, "indexer"), Aliases(store)
    async with AsyncExitStack() as stack:
        services = [running_service("indexer", names, node, aws_environment, **settings) for _ in "ab"]
        indexers = [await stack.enter_async_context(service) for service in services]
        how = {"kill_every": kill_every, "kill_after": 500, "busy_seconds": busy_seconds}
        siege = Siege(indexers, node, feeder, **how)
        watching = asyncio.create_task(aliases.watch())
        laying = asyncio.create_task(siege.lay(load.first))
        models = [*MODELS, *map(job_read_model, JOBS)]
        killed = await rebuild_all(node.url, models, chance, longest_rebuild)
        under_load = not laying.done()
        await laying
        await siege.lay(load.second, disturbed=False)
        watching.cancel()
    record_property("kills", {"indexers": siege.kills, "node": siege.node_kills, "rebuilds": killed})
    assert aliases.faults == []
    assert all(len(aliases.seen[model]) >= 2 for model in models)
    assert under_load
    assert feeder.dead() == 0
    assert await quarantined(store) == load.bad
    ids = [event.event_id for event in await logged(store)]
    assert sorted(ids) == sorted(event.event_id for event in load.good)
    assert await faults_of_read_models(store, [event.body for event in load.good]) == []
