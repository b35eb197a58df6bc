import asyncio
from datetime import UTC, datetime

import pytest
from dwh_contracts.clock import ManualClock
from dwh_runtime.depths import LOOK_SECONDS, QueueDepths
from dwh_runtime.metrics import DLQ_MESSAGES, QUEUE_MESSAGES
from dwh_runtime.settings import ServiceSettings, load
from dwh_runtime.testing import MemoryAws
from structlog.testing import capture_logs

SQS = "http://127.0.0.1:8085/000000000000"
OWN, FED = f"{SQS}/dwh-local-indexer", f"{SQS}/dwh-local-mwaa-triggers"


def shown(metric):
    return {tuple(sample.labels.values())[1:]: sample.value for sample in metric.collect()[0].samples}


class Watched:
    def __init__(self, *fed):
        self.aws, self.clock = MemoryAws(), ManualClock(datetime(2026, 11, 1, tzinfo=UTC))
        self.depths = QueueDepths(self.aws.queues, load(ServiceSettings), "test", self.clock, fed=fed)

    async def fill(self, url, count, delay=0):
        for _ in range(count):
            await self.aws.queues.send(url, b"{}", {}, delay)


@pytest.fixture
def watched(environ):
    environ.setenv("DWH_QUEUE_URL", OWN)
    QUEUE_MESSAGES.clear()
    DLQ_MESSAGES.clear()
    yield Watched
    QUEUE_MESSAGES.clear()
    DLQ_MESSAGES.clear()


async def test_own_and_fed_queues_are_shown_by_state_and_their_dead_letters_as_a_sum(watched):
    service = watched(FED)
    await service.fill(OWN, 3)
    await service.fill(OWN, 2, delay=60)
    await service.fill(f"{OWN}-dlq", 1)
    await service.fill(f"{OWN}-dlq", 1, delay=60)
    await service.depths.look()
    assert shown(QUEUE_MESSAGES) == {
        ("indexer", "visible"): 3,
        ("indexer", "in_flight"): 0,
        ("indexer", "delayed"): 2,
        ("mwaa-triggers", "visible"): 0,
        ("mwaa-triggers", "in_flight"): 0,
        ("mwaa-triggers", "delayed"): 0,
    }
    assert shown(DLQ_MESSAGES) == {("indexer-dlq",): 2, ("mwaa-triggers-dlq",): 0}


async def test_a_queue_that_cannot_be_read_shows_no_old_figure_and_the_others_go_on(watched):
    service = watched(FED)
    await service.depths.look()
    service.aws.queues.unreadable |= {OWN, f"{OWN}-dlq"}
    await service.fill(FED, 4)
    await service.depths.look()
    assert {queue for queue, _ in shown(QUEUE_MESSAGES)} == {"mwaa-triggers"}
    assert shown(QUEUE_MESSAGES)["mwaa-triggers", "visible"] == 4
    assert shown(DLQ_MESSAGES) == {("mwaa-triggers-dlq",): 0}


async def test_an_unreadable_queue_is_logged_when_it_begins_and_ends_and_not_between(watched):
    service = watched()
    service.aws.queues.unreadable.add(OWN)
    with capture_logs() as logs:
        for _ in range(3):
            await service.depths.look()
        service.aws.queues.unreadable.clear()
        await service.depths.look()
    assert [(line["event"], line["queue"]) for line in logs] == [
        ("queue_depth_unreadable", "indexer"),
        ("queue_depth_readable", "indexer"),
    ]


async def test_it_looks_at_once_and_every_30_s_through_failures(watched):
    service = watched()
    service.aws.queues.unreadable.add(OWN)
    running = asyncio.create_task(service.depths.run())
    await asyncio.sleep(0)
    assert ("indexer", "visible") not in shown(QUEUE_MESSAGES)
    service.aws.queues.unreadable.clear()
    service.clock.advance(LOOK_SECONDS - 1)
    await asyncio.sleep(0)
    assert ("indexer", "visible") not in shown(QUEUE_MESSAGES)
    service.clock.advance(1)
    for _ in range(3):
        await asyncio.sleep(0)
    assert shown(QUEUE_MESSAGES)["indexer", "visible"] == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
