"""Each service in a container: how fast it is ready, what it takes at rest, how it ends."""

import httpx
import pytest
from dwh_contracts.parse import event_from_body

READY_SECONDS = 5
IDLE_STOP_SECONDS = 10
BUSY_STOP_SECONDS = 35
RESIDENT_MEGABYTES = {"indexer": 130, "alerts": 130, "orchestrator": 130, "approvals": 150}


async def test_it_is_ready_soon_small_at_rest_and_stops_at_a_sigterm_with_0(line, start, record_property):
    container = start(line.container_settings, line.service)
    ready = container.seconds_to_ready(line.url)
    resident = container.resident_megabytes()
    users = container.user_ids()
    code, seconds = container.stop()
    record_property(line.service, f"ready {ready:.1f} s, {resident:.0f} MiB, stopped in {seconds:.1f} s")
    assert code == 0, container.logs()
    assert users == {10001}
    assert ready < READY_SECONDS
    assert resident <= RESIDENT_MEGABYTES[line.service]
    assert seconds < IDLE_STOP_SECONDS


@pytest.mark.parametrize("service", ["indexer"], indirect=True)
async def test_stopped_under_load_it_ends_in_time_with_0_and_the_next_one_finds_every_event(line, start):
    events = [event_from_body(line.a_run(job_run_id=f"{line.environment}-{number}")) for number in range(300)]
    for event in events[:200]:
        await line.emit(event.body)
    first = start(line.container_settings, line.service)
    await line.until(lambda: handled(line))
    for event in events[200:]:
        await line.emit(event.body)
    code, seconds = first.stop()
    assert code == 0, first.logs()
    assert seconds < BUSY_STOP_SECONDS

    start(line.container_settings, line.service)
    await line.until(line.empty, seconds=60)
    missing = [e for e in events if await line.store.events.get(e.event_id, e.timestamp) is None]
    assert missing == []
    dead = await line.aws.queues.depth(line.names.queue_url(f"{line.service}-dlq"))
    assert sum(dead.values()) == 0


async def handled(line):
    """Whether the service has begun: it counts a handled message."""
    async with httpx.AsyncClient() as http:
        try:
            text = (await http.get(f"{line.url}/metrics")).text
        except httpx.TransportError:
            return False
    return "dwh_messages_handled_total{" in text
