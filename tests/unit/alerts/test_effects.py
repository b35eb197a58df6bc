"""From an event to a message on a topic: once, whoever dies and whatever comes twice."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta

import pytest
from alerts_line import CONSOLE, NOW, NOWHERE, Line, a_line, accept, decided, finished
from dwh_alerts.decide import RING_SIZE
from dwh_alerts.effects import Heads, OpenIncidents, head_key
from dwh_alerts.metrics import NOTIFICATIONS_PENDING, NOTIFICATIONS_PENDING_AGE_SECONDS
from dwh_alerts.routes import Routes, Severity
from dwh_contracts import ids
from dwh_contracts.clock import ManualClock, SystemClock
from dwh_contracts.event_ids import expected_event_id
from dwh_contracts.parse import Event, event_from_body
from dwh_contracts.times import format_time
from dwh_eventstore import MemoryBackend, StoreUnavailable
from dwh_runtime.aws import AwsRefused, AwsUnavailable
from dwh_runtime.links import LinkContent
from dwh_runtime.metrics import OPEN_INCIDENTS
from dwh_runtime.outcomes import Retry
from dwh_runtime.testing import MemoryAws
from prometheus_client import Gauge

KEY = head_key("dev/transform_images/quality")


class Died(BaseException):
    """Stands for the death of the process: nothing catches it."""


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def line(backend: MemoryBackend, clock: ManualClock) -> Line:
    return a_line(backend, MemoryAws(), clock)


async def test_a_red_run_is_one_critical_message_and_one_open_incident(line: Line) -> None:
    await line.on(finished("RED"))
    assert line.told == [("critical", "opened", False)]
    assert await line.facts() == [("incident_transition", "done"), ("notification_sent", "done")]
    incident = await line.incident()
    assert (incident["state"], incident["severity"], incident["rev"]) == ("open", "critical", 1)
    head = await line.heads.get(KEY)
    assert head is not None
    assert (head.facts, head.outgoing) == ((), ())


async def test_a_yellow_run_goes_to_the_warning_topic_and_green_sends_the_end_after_it(line: Line) -> None:
    await line.on(finished("YELLOW"))
    await line.on(finished("GREEN", "run-2", at=NOW + timedelta(minutes=15)))
    assert line.told == [("warning", "opened", False), ("warning", "resolved", False)]
    assert (await line.incident())["state"] == "resolved"


async def test_a_failed_run_is_told_and_a_green_run_alone_tells_nobody(line: Line) -> None:
    await line.on(finished("GREEN"))
    assert line.told == []
    await line.on(finished("FAILED", "run-2", at=NOW + timedelta(minutes=1)))
    assert [(topic, message.rule) for topic, message in line.messages] == [("critical", "job_failed")]


async def test_three_copies_are_one_message(line: Line) -> None:
    for _ in range(3):
        await line.on(finished("RED"))
    assert line.told == [("critical", "opened", False)]
    assert len(await line.facts()) == 2


async def test_eight_replicas_given_one_event_at_once_send_one_message(backend: MemoryBackend) -> None:
    aws, clock = MemoryAws(), SystemClock()
    event = finished("RED", at=clock.now())
    replicas = [a_line(backend, aws, clock, owner=f"replica-{n}") for n in range(8)]
    await asyncio.gather(*(replica.on(event) for replica in replicas))
    assert replicas[0].told == [("critical", "opened", False)]
    assert len(await replicas[0].facts()) == 2


async def test_twelve_runs_at_once_lose_no_cause(backend: MemoryBackend) -> None:
    aws, clock = MemoryAws(), SystemClock()
    lines = [a_line(backend, aws, clock, owner=f"replica-{n}") for n in range(3)]
    now = clock.now()
    events = [finished("RED", f"run-{n}", at=now + timedelta(seconds=n)) for n in range(12)]
    await asyncio.gather(*(lines[n % 3].on(event) for n, event in enumerate(events)))
    incident = await lines[0].incident()
    assert {cause["job_run_id"] for cause in incident["causes"]} == {f"run-{n}" for n in range(12)}
    assert len({message.rev for _, message in lines[0].messages}) == 12


# --- dying ----------------------------------------------------------------------------------------------


async def test_death_after_the_head_is_finished_by_the_timer_with_an_unmarked_message(
    backend: MemoryBackend, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = MemoryAws()
    dying = a_line(backend, aws, clock)

    async def die(events: Sequence[Event]) -> None:
        raise Died

    monkeypatch.setattr(dying.outbox, "_record", die)
    with pytest.raises(Died):
        await dying.on(finished("RED"))
    assert aws.topics.published == []
    successor = a_line(backend, aws, clock, owner="two")
    await successor.outbox.finish()
    assert aws.topics.published == [], "within its grace the handler may still be at it"
    clock.advance(3)
    await successor.outbox.finish()
    await successor.on(finished("RED"))
    assert successor.told == [("critical", "opened", False)]
    assert await successor.facts() == [("incident_transition", "done"), ("notification_sent", "done")]


@pytest.mark.parametrize("sent_before", [False, True])
async def test_death_after_the_claim_is_taken_over_and_says_possible_duplicate(
    backend: MemoryBackend, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, *, sent_before: bool
) -> None:
    aws = MemoryAws()
    dying = a_line(backend, aws, clock)
    publish = aws.topics.publish

    async def die(*arguments: object, **more: object) -> str:
        if sent_before:
            await publish(*arguments, **more)  # type: ignore[arg-type]
        raise Died

    monkeypatch.setattr(aws.topics, "publish", die)
    with pytest.raises(Died):
        await dying.on(finished("RED"))
    monkeypatch.undo()
    successor = a_line(backend, aws, clock, owner="two")
    clock.advance(29)
    await successor.on(finished("RED"))
    await successor.outbox.finish()
    assert len(aws.topics.published) == sent_before, "the lease of the dead one still runs"
    clock.advance(2)
    await successor.outbox.finish()
    await successor.outbox.finish()
    assert successor.told[sent_before:] == [("critical", "opened", True)]
    assert await successor.facts() == [
        ("incident_transition", "done"),
        ("notification_sent", "possible_duplicate"),
    ]


async def test_death_after_the_message_before_its_fact_sends_nothing_again(
    backend: MemoryBackend, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = MemoryAws()
    dying = a_line(backend, aws, clock)

    async def die(*arguments: object) -> None:
        raise Died

    monkeypatch.setattr(dying.heads, "forget", die)
    with pytest.raises(Died):
        await dying.on(finished("RED"))
    successor = a_line(backend, aws, clock, owner="two")
    clock.advance(3)
    await successor.outbox.finish()
    assert successor.told == [("critical", "opened", False)]
    assert await successor.heads.unfinished() == []


async def test_a_head_that_cannot_be_read_or_sent_does_not_hold_up_the_others(
    line: Line, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending = {"kind": "incident", "state": "pending", "created_at": format_time(NOW)}
    assert await line.store.effects.create("incident|unreadable", {**pending, "ring": 5})
    fact = {"event_id": "f" * 32, "event_type": "no_fact"}
    unsendable = {**pending, "incident_key": "dev/other/quality", "facts": [fact]}
    assert await line.store.effects.create("incident|unsendable", unsendable)
    line.aws.topics.failures = [AwsUnavailable("away")]
    await line.on(finished("RED"))
    clock.advance(31)
    await line.outbox.finish()
    assert line.told == [("critical", "opened", True)]


async def test_while_the_store_is_away_the_timer_says_so(
    line: Line, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(events: Sequence[Event]) -> None:
        raise StoreUnavailable("nobody at http://127.0.0.1:9201")

    monkeypatch.setattr(line.outbox, "_record", away)
    with pytest.raises(StoreUnavailable):
        await line.on(finished("RED"))
    clock.advance(3)
    with pytest.raises(StoreUnavailable):
        await line.outbox.finish()
    monkeypatch.undo()


async def test_what_is_open_is_counted_by_severity(line: Line, clock: ManualClock) -> None:
    counted = OpenIncidents(line.store.read_models, clock, environment="dev")
    await line.on(finished("RED"))
    await line.on(finished("FAILED", "run-2", at=NOW + timedelta(seconds=1)))
    await counted.show()
    assert open_incidents() == {"critical": 2, "warning": 0, "info": 0}
    await line.on(finished("GREEN", "run-3", at=NOW + timedelta(seconds=2)))
    await counted.show()
    assert open_incidents()["critical"] == 2, "a look each 15 s is enough"
    clock.advance(15)
    await counted.show()
    assert open_incidents() == {"critical": 0, "warning": 0, "info": 0}


def open_incidents() -> dict[str, float]:
    return {str(severity): OPEN_INCIDENTS.labels("alerts", severity)._value.get() for severity in Severity}


async def test_a_replica_that_lost_the_timer_shows_neither_ages_nor_counts_until_it_looks_again(
    line: Line, clock: ManualClock
) -> None:
    counted = OpenIncidents(line.store.read_models, clock, environment="dev")
    line.aws.topics.failures = [AwsUnavailable("away")]
    await line.on(finished("RED"))
    clock.advance(301)
    line.aws.topics.failures = [AwsUnavailable("away")]
    await line.outbox.finish()
    await counted.show()
    assert shown(NOTIFICATIONS_PENDING_AGE_SECONDS) == {"sns-critical": 301, "sns-warning": 0}
    line.outbox.hide()
    counted.hide()
    assert shown(NOTIFICATIONS_PENDING_AGE_SECONDS) == shown(NOTIFICATIONS_PENDING) == {}
    assert shown(OPEN_INCIDENTS) == {}
    await line.outbox.finish()
    await counted.show()
    assert shown(OPEN_INCIDENTS)["critical"] == 1
    assert set(shown(NOTIFICATIONS_PENDING)) == {"sns-critical", "sns-warning"}


def shown(gauge: Gauge) -> dict[str, float]:
    """Value by the label behind `service`."""
    [metric] = gauge.collect()
    return {list(sample.labels.values())[1]: sample.value for sample in metric.samples}


async def test_another_content_under_the_id_of_a_run_announces_nothing(line: Line) -> None:
    stored = finished("GREEN")
    await line.on(stored)
    forged = event_from_body(finished("RED").body | {"event_id": stored.event_id})
    assert forged.event_id == stored.event_id
    await line.consumer.on_event(forged, NOWHERE)
    assert (line.told, await line.facts()) == ([], [])


async def test_a_run_that_is_not_stored_within_five_seconds_comes_again(
    line: Line, clock: ManualClock
) -> None:
    handling = asyncio.ensure_future(line.consumer.on_event(finished("RED"), NOWHERE))
    for _ in range(200):
        await asyncio.sleep(0)
        clock.advance(0.05)
    with pytest.raises(Retry, match="not in the store yet"):
        await handling
    assert line.told == []


async def test_the_timer_leaves_the_heads_of_another_environment_alone(
    line: Line, backend: MemoryBackend, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(events: Sequence[Event]) -> None:
        raise Died

    monkeypatch.setattr(line.outbox, "_record", dies)
    with pytest.raises(Died):
        await line.on(finished("RED"))
    others = Heads(line.store.effects, line.store.events, Routes(), clock, environment="prod")
    assert (len(await line.heads.unfinished()), await others.unfinished()) == (1, [])


# --- sinks ----------------------------------------------------------------------------------------------


async def test_a_topic_that_is_away_holds_nobody_up_and_gets_its_messages_in_order(
    line: Line, clock: ManualClock
) -> None:
    line.aws.topics.failures = [AwsUnavailable("away")]
    await line.on(finished("YELLOW"))
    await line.on(finished("GREEN", "run-2", at=NOW + timedelta(minutes=15)))
    assert line.told == []
    clock.advance(31)
    await line.outbox.finish()
    assert line.told == [("warning", "opened", True), ("warning", "resolved", False)]


async def test_a_refused_message_is_recorded_as_failed_and_not_tried_again(line: Line) -> None:
    line.aws.topics.failures = [AwsRefused("no such topic")]
    await line.on(finished("RED"))
    await line.on(finished("RED"))
    await line.outbox.finish()
    assert line.told == []
    assert await line.facts() == [("incident_transition", "done"), ("notification_failed", "failed")]
    assert (await line.incident())["deliveries"][0]["outcome"] == "failed"


async def test_an_event_older_than_48_hours_is_recorded_as_skipped_stale(line: Line) -> None:
    await line.on(finished("RED", at=NOW - timedelta(hours=49)))
    assert line.told == []
    assert await line.facts() == [("incident_transition", "done"), ("notification_skipped", "skipped_stale")]
    assert (await line.incident())["state"] == "open"


async def test_the_decision_link_is_signed_when_it_is_sent_and_stored_nowhere(line: Line) -> None:
    event = finished("RED")
    await line.on(event)
    [(_, message)] = line.messages
    assert message.links.decide is not None
    token = message.links.decide.removeprefix(f"{CONSOLE}/links/")
    assert line.signer.verify(token) == LinkContent(
        environment="dev",
        job_name="transform_images",
        job_run_id="run-1",
        attempt=1,
        source_event_id=event.event_id,
        artifacts_manifest_sha256=event.model.artifacts_manifest and event.model.artifacts_manifest.sha256,
        nonce=line.signer.nonce(f"notify|{message.incident_id}|1|sns-critical"),
    )
    stored = [document.body for document in await line.store.effects.find({})]
    assert token not in json.dumps(stored)


async def test_only_a_message_that_asks_for_a_decision_has_a_link_to_it(line: Line) -> None:
    await line.on(finished("YELLOW"))
    await line.on(finished("RED", "run-2", at=NOW + timedelta(seconds=1)))
    await accept(line.store, decided(run_id="run-2"))
    await line.on(decided(run_id="run-2"))
    assert [(message.transition, message.links.decide is not None) for _, message in line.messages] == [
        ("opened", False),
        ("escalated", True),
        ("resolved", False),
        ("resolved", False),
    ]


# --- decisions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decision", ["APPROVED", "REJECTED"])
async def test_the_accepted_decision_resolves_and_says_who_decided(line: Line, decision: str) -> None:
    await line.on(finished("RED"))
    await accept(line.store, decided(decision))
    await line.on(decided(decision))
    assert line.told == [("critical", "opened", False), ("critical", "resolved", False)]
    assert line.messages[1][1].title == f"quality RED, {decision} by approver@example.com"


async def test_an_expiry_resolves(line: Line) -> None:
    red = finished("RED")
    await line.on(red)
    body = {
        **{
            name: red.body[name]
            for name in ("schema_version", "environment", "job_name", "job_run_id", "attempt")
        },
        "event_type": "approval_expired",
        "event_id": "19fc301b4b5668a303b172619cc8f1e2",
        "timestamp": format_time(NOW),
        "decision": "EXPIRED",
        "decided_by": "system:expiry",
        "source_event_id": red.event_id,
    }
    body["event_id"] = expected_event_id(body)
    expired = event_from_body(body)
    await accept(line.store, expired)
    await line.on(expired)
    assert (await line.incident())["state"] == "resolved"


async def test_a_decision_that_nobody_has_judged_is_a_retry_and_leaves_no_record(line: Line) -> None:
    with pytest.raises(Retry):
        await line.on(decided())
    assert await line.heads.get(KEY) is None


async def test_a_decision_the_claim_does_not_name_resolves_nothing(line: Line) -> None:
    await line.on(finished("RED"))
    await accept(line.store, decided("REJECTED", by="owner@example.com"))
    await line.on(decided("APPROVED"))
    assert (await line.incident())["state"] == "open"


async def test_a_forged_event_id_does_not_make_a_decision_the_accepted_one(line: Line) -> None:
    await line.on(finished("RED"))
    await accept(line.store, decided("REJECTED", by="owner@example.com"))
    accepted = decided("REJECTED", by="owner@example.com")
    await line.on(event_from_body({**decided("APPROVED").body, "event_id": accepted.event_id}))
    assert (await line.incident())["state"] == "open"


@pytest.mark.parametrize("outcome", ["vote", "refused"])
async def test_a_decision_with_a_verdict_is_acknowledged_without_effect(line: Line, outcome: str) -> None:
    await line.on(finished("RED"))
    event = decided()
    refused_id = ids.approval_refused_id("dev", event.content_hash)
    judged = event.event_id if outcome == "vote" else refused_id
    assert await line.store.decisions.create(f"verdict|{judged}", {"outcome": outcome})
    await line.on(event)
    assert (await line.incident())["state"] == "open"


async def test_a_decision_before_its_run_leaves_a_resolved_incident_and_no_message(line: Line) -> None:
    await accept(line.store, decided())
    await line.on(decided())
    await line.on(finished("RED"))
    assert line.told == []
    assert (await line.incident())["state"] == "resolved"


async def test_an_event_without_a_rule_changes_nothing(line: Line) -> None:
    red = finished("RED")
    reminder = {
        **{
            name: red.body[name]
            for name in ("schema_version", "environment", "job_name", "job_run_id", "attempt")
        },
        "event_type": "approval_reminder",
        "event_id": "155ff8a47907fe39a3ce6bf2bbf4edee",
        "timestamp": format_time(NOW),
        "stage": 50,
        "expires_at": format_time(NOW),
    }
    await line.on(event_from_body(reminder))
    assert await line.store.effects.find({}) == []


# --- the ring and the contenders ------------------------------------------------------------------------


async def test_when_the_ring_is_full_the_store_remembers(line: Line) -> None:
    await line.on(finished("RED"))
    stored = await line.store.effects.get(KEY)
    assert stored is not None
    others = [f"{n:032x}" for n in range(RING_SIZE)]
    forgotten = stored.body["incident"] | {"causes": []}  # type: ignore[operator]
    assert await line.store.effects.replace(stored, stored.body | {"ring": others, "incident": forgotten})
    await line.on(finished("RED"))
    assert line.told == [("critical", "opened", False)]
    await line.on(finished("RED", "run-2"))
    assert len(line.told) == 2


async def test_a_message_whose_head_others_keep_changing_comes_back_within_5_s_uncounted(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*arguments: object) -> bool:
        return False

    monkeypatch.setattr(line.store.effects, "create", lost)
    monkeypatch.setattr("dwh_alerts.effects.CAS_JITTER_SECONDS", 0.0)
    with pytest.raises(Retry, match="too many") as raised:
        await line.on(finished("RED"))
    assert raised.value.after is not None
    assert 1 <= raised.value.after <= 5
    assert not raised.value.counted
