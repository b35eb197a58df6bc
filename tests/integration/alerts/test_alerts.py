import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
DYING = Path(__file__).with_name("dying_alerts.py")


def told(messages):
    return [(each["transition"], each["severity"], each["possible_duplicate"]) for each in messages]


async def test_red_is_announced_once_and_its_accepted_decision_is_the_end(alerts):
    alerts.running.start()
    red = await alerts.run("RED", "run-1")
    for _ in range(2):
        await alerts.running.emit(red)
    [opened] = await alerts.messages(1)
    assert told([opened]) == [("opened", "critical", False)]
    assert opened["links"]["decide"].startswith("http://127.0.0.1:8080/links/")

    await alerts.running.decide(red)
    [resolved] = await alerts.messages(1)
    assert told([resolved]) == [("resolved", "critical", False)]
    assert resolved["title"] == "quality RED, APPROVED by approver@example.com"
    [incident] = await alerts.incidents()
    assert (incident["state"], incident["rev"]) == ("resolved", 2)
    assert [each["outcome"] for each in incident["deliveries"]] == ["sent", "sent"]
    assert alerts.running.stop() == 0


async def test_yellow_warns_and_green_is_the_end_of_it(alerts):
    alerts.running.start()
    await alerts.run("YELLOW", "run-1")
    assert told(await alerts.messages(1)) == [("opened", "warning", False)]
    await alerts.run("GREEN", "run-2")
    assert told(await alerts.messages(1)) == [("resolved", "warning", False)]


@pytest.mark.parametrize(("after", "possible_duplicate"), [("head", False), ("claim", True)])
async def test_killed_between_state_and_effect_it_tells_exactly_once(alerts, after, possible_duplicate):
    await alerts.run("RED", "run-1")
    alerts.running.start(DYING, DIES_AFTER=after)
    assert alerts.running.died() == 137
    assert alerts.inbox.received() == []
    [head] = await alerts.pending()
    assert head.body["incident"]["environment"] == alerts.running.environment

    alerts.running.start()
    assert told(await alerts.messages(1)) == [("opened", "critical", possible_duplicate)]
    outcome = "possible_duplicate" if possible_duplicate else "done"
    assert await alerts.facts() == [("incident_transition", "done"), ("notification_sent", outcome)]
    assert await alerts.pending() == []
    assert alerts.running.stop() == 0


async def test_at_rest_an_alert_is_published_within_one_and_a_half_seconds(alerts, record_property):
    alerts.running.start()
    await alerts.run("YELLOW", "run-1", job_name="warm_up")
    await alerts.messages(1)
    began = time.monotonic()
    await alerts.run("RED", "run-1")
    assert alerts.inbox.received(wait_seconds=10)
    took = time.monotonic() - began
    record_property("emit_to_alert_seconds", round(took, 3))
    assert took < 1.5
