import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
DYING = Path(__file__).with_name("dying_orchestrator.py")


async def one_trigger(orchestrator, triggers):
    [message] = await orchestrator.until(triggers.look)
    await orchestrator.until(orchestrator.empty)
    assert triggers.received() == []
    return message


async def facts(orchestrator):
    return sorted(
        fact.event_type for fact in await orchestrator.facts() if fact.event_type != "config_accepted"
    )


async def test_a_green_run_becomes_one_message_and_its_record(orchestrator, triggers):
    orchestrator.start()
    body = await orchestrator.emit_stored(orchestrator.a_run())
    message = await one_trigger(orchestrator, triggers)
    assert message["source"]["job_run_id"] == body["job_run_id"]
    assert message["conf"]["start_date"] == body["metrics"]["start_date"]
    assert await facts(orchestrator) == ["decision_recorded", "trigger_requested", "trigger_sent"]
    assert orchestrator.stop() == 0


async def test_a_red_run_starts_after_its_accepted_approval_only(orchestrator, triggers):
    orchestrator.start()
    body = await orchestrator.emit_stored(orchestrator.a_run(quality_status="RED"))
    await orchestrator.until(orchestrator.empty)
    assert triggers.received() == []
    decision = await orchestrator.decide(body)
    message = await one_trigger(orchestrator, triggers)
    assert message["source"]["event_id"] == decision["event_id"]
    assert message["conf"]["source_artifacts"]["decision_event_id"] == decision["event_id"]


@pytest.mark.parametrize(("after", "on_record"), [("record", 1), ("claim", 2)])
async def test_killed_between_durable_state_and_effect_sends_exactly_once(
    orchestrator, triggers, after, on_record
):
    await orchestrator.emit_stored(orchestrator.a_run())
    orchestrator.start(DYING, DIE_AFTER=after)
    assert orchestrator.died() == 137
    assert triggers.received() == []
    assert len(await facts(orchestrator)) == on_record
    orchestrator.start()
    message = await one_trigger(orchestrator, triggers)
    assert message["dag_id"] == "filter_image_glue_pyspark"
    assert await facts(orchestrator) == ["decision_recorded", "trigger_requested", "trigger_sent"]


async def test_at_rest_a_trigger_is_on_the_queue_within_one_and_a_half_seconds(
    orchestrator, triggers, record_property
):
    orchestrator.start()
    await orchestrator.emit_stored(orchestrator.a_run(job_run_id=f"warm-{orchestrator.environment}"))
    await one_trigger(orchestrator, triggers)
    began = time.monotonic()
    await orchestrator.emit_stored(orchestrator.a_run())
    assert await orchestrator.until(triggers.look)
    took = time.monotonic() - began
    record_property("emit_to_trigger_seconds", round(took, 3))
    assert took < 1.5
