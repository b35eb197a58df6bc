"""From an event to the queue, over the in-memory store and AWS."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from dwh_contracts.canonical import canonical_json
from dwh_contracts.clock import ManualClock
from dwh_contracts.ids import approval_refused_id
from dwh_contracts.parse import event_from_body
from dwh_contracts.testing import a_job_event, an_approval_decision
from dwh_contracts.workflow import load_workflow_config
from dwh_eventstore import memory_store
from dwh_orchestrator.consume import Consumer
from dwh_orchestrator.effects import Effects
from dwh_orchestrator.settings import SERVICE
from dwh_orchestrator.triggers import sqs_mwaa
from dwh_runtime.aws import AwsRefused, AwsUnavailable
from dwh_runtime.config_source import ConfigMissing, ConfigSource, config_reporter, workflow_config
from dwh_runtime.effects import EffectExecutor
from dwh_runtime.intake import Origin
from dwh_runtime.metrics import CONFIG_VERSION_INFO
from dwh_runtime.outcomes import Retry
from dwh_runtime.stored import StoredRuns
from dwh_runtime.testing import MemoryAws

NOW = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
URI, QUEUE = "s3://code/orchestration/workflow_config.json", "https://sqs/mwaa-triggers"
ORIGIN = Origin(None, None, None)
FILTER = {
    "id": "filter",
    "type": "sqs_mwaa",
    "dag_id": "filter_image_glue_pyspark",
    "parameter_mapping": {"start_date": "job.metrics.start_date"},
}


def a_file(*rules):
    return canonical_json({"version": "2.0", "workflows": {"transform_images": {"on_success": list(rules)}}})


class Line:
    def __init__(self, *rules):
        self.clock = ManualClock(NOW)
        self.store = memory_store("dev", self.clock)
        self.aws = MemoryAws()
        self.aws.objects.stored[URI] = a_file(*(rules or (FILTER,)))
        self.configs = self.a_source()
        self.consumer = self.a_replica("one")

    def a_source(self):
        return workflow_config(
            URI,
            objects=self.aws.objects,
            copies=self.store.effects,
            record=self.store.record,
            environment="dev",
            service=SERVICE,
            clock=self.clock,
        )

    def a_replica(self, owner):
        executor = EffectExecutor(
            self.store.claims, self.store.record, owner, self.clock, service=SERVICE, kinds=["trigger"]
        )
        senders = {"sqs_mwaa": sqs_mwaa(self.aws.queues, QUEUE)}
        effects = Effects(self.store, executor, senders, self.clock)
        return Consumer(
            self.store.decisions, StoredRuns(self.store.events, self.clock), self.configs, effects
        )

    async def store_run(self, **over):
        event = event_from_body(a_job_event(**over))
        await self.store.record([event])
        return event

    async def accept(self, decision, run):
        key = f"decision|dev|{run.job_name}|{run.job_run_id}|{run.attempt}"
        body = {
            "kind": "decision",
            "event": decision.body,
            "source_event_id": run.event_id,
            "source_timestamp": run.body["timestamp"],
        }
        assert await self.store.decisions.create(key, body)

    async def facts(self, event_type):
        return await self.store.events.find("effect", {"event_type": event_type})

    @property
    def sent(self):
        return [json.loads(message.body) for message in self.aws.queues.sent]


@pytest.fixture
async def line():
    CONFIG_VERSION_INFO.clear()
    built = Line()
    await built.configs.refresh()
    return built


async def test_a_green_run_is_recorded_then_sent_once_however_often_it_comes(line):
    run = await line.store_run()
    for _ in range(3):
        await line.consumer.on_event(run, ORIGIN)
    [message] = line.sent
    assert message["dag_id"] == "filter_image_glue_pyspark"
    assert message["run_id"] == f"trig__transform_images__{message['trigger_id']}"
    assert message["conf"]["start_date"] == "2026-11-23T07:00:00.000000Z"
    assert line.aws.queues.sent[0].attributes["trigger_id"] == message["trigger_id"]
    [record] = await line.facts("decision_recorded")
    assert record.body["triggers"][0]["conf"] == message["conf"]
    document = await line.store.read_models.get("job-triggers", message["trigger_id"])
    assert (document["outcome"], document["target"], document["rule_id"]) == (
        "sent",
        "filter_image_glue_pyspark",
        "filter",
    )


async def test_what_is_on_record_is_performed_even_if_the_config_changed_between_two_deliveries(line):
    run = await line.store_run()
    line.aws.queues.failures.append(AwsUnavailable("away"))
    with pytest.raises(Retry):
        await line.consumer.on_event(run, ORIGIN)
    line.aws.objects.stored[URI] = a_file(FILTER | {"id": "other", "dag_id": "other_dag"})
    await line.configs.refresh()
    line.clock.advance(31)
    await line.consumer.on_event(run, ORIGIN)
    assert [message["dag_id"] for message in line.sent] == ["filter_image_glue_pyspark"]


async def test_one_failing_trigger_never_stops_its_neighbours(line):
    line.aws.objects.stored[URI] = a_file(
        FILTER | {"id": "a", "dag_id": "a"}, FILTER | {"id": "b", "dag_id": "b"}
    )
    await line.configs.refresh()
    run = await line.store_run()
    line.aws.queues.failures.append(AwsRefused("no such queue"))
    await line.consumer.on_event(run, ORIGIN)
    assert [message["dag_id"] for message in line.sent] == ["b"]
    [failed] = await line.facts("trigger_failed")
    assert failed.body["error"] == "no such queue"


async def test_a_rule_without_sender_fails_visibly(line):
    line.aws.objects.stored[URI] = a_file({"id": "g", "type": "glue_job", "job_name": "load"})
    await line.configs.refresh()
    await line.consumer.on_event(await line.store_run(), ORIGIN)
    [failed] = await line.facts("trigger_failed")
    assert "no sender for the trigger type glue_job" in failed.body["error"]
    assert line.sent == []


async def test_an_event_older_than_48_hours_is_skipped_not_sent(line):
    run = await line.store_run()
    line.clock.advance(timedelta(hours=49).total_seconds())
    await line.consumer.on_event(run, ORIGIN)
    [skipped] = await line.facts("trigger_skipped")
    assert skipped.body["outcome"] == "skipped_stale"
    assert line.sent == []


async def test_a_red_run_waits_and_its_approval_starts_it_with_the_runs_own_dates(line):
    run = await line.store_run(quality_status="RED")
    await line.consumer.on_event(run, ORIGIN)
    assert line.sent == []
    [record] = await line.facts("decision_recorded")
    assert record.body["situation"] == "waiting_for_approval"
    decision = event_from_body(an_approval_decision())
    await line.accept(decision, run)
    await line.consumer.on_event(decision, ORIGIN)
    [message] = line.sent
    assert message["source"]["event_id"] == decision.event_id
    assert message["conf"]["source_artifacts"]["decision_event_id"] == decision.event_id
    assert message["conf"]["start_date"] == run.body["metrics"]["start_date"]


async def test_a_decision_that_nobody_accepted_yet_is_retried_not_lost(line):
    await line.store_run(quality_status="RED")
    with pytest.raises(Retry):
        await line.consumer.on_event(event_from_body(an_approval_decision()), ORIGIN)
    assert line.sent == []


async def test_a_decision_with_a_verdict_is_recorded_as_not_accepted(line):
    await line.store_run(quality_status="RED")
    decision = event_from_body(an_approval_decision())
    await line.store.decisions.create(
        f"verdict|{decision.event_id}", {"kind": "verdict", "outcome": "refused"}
    )
    await line.consumer.on_event(decision, ORIGIN)
    [record] = await line.facts("decision_recorded")
    assert (record.body["situation"], record.body["reason"]) == (
        "ignored",
        "the decision was not accepted: refused",
    )
    assert line.sent == []


async def test_a_refused_decision_is_known_by_the_id_of_refused_ones(line):
    await line.store_run(quality_status="RED")
    decision = event_from_body(an_approval_decision())
    refused_id = approval_refused_id("dev", decision.content_hash)
    await line.store.decisions.create(f"verdict|{refused_id}", {"kind": "verdict", "outcome": "refused"})
    await line.consumer.on_event(decision, ORIGIN)
    [record] = await line.facts("decision_recorded")
    assert record.body["reason"] == "the decision was not accepted: refused"


async def test_a_contrary_decision_starts_nothing(line):
    run = await line.store_run(quality_status="RED")
    winner = event_from_body(an_approval_decision(decision="REJECTED", decided_by="owner@example.com"))
    await line.accept(winner, run)
    await line.consumer.on_event(event_from_body(an_approval_decision()), ORIGIN)
    assert line.sent == []


async def test_a_conflicting_copy_of_the_message_does_not_act(line):
    stored = await line.store_run(quality_status="RED")
    forged = event_from_body(a_job_event(event_id=stored.event_id))
    await line.consumer.on_event(forged, ORIGIN)
    assert line.sent == []


async def test_other_events_are_acknowledged_and_leave_no_record(line):
    reminder = an_approval_decision() | {
        "event_type": "approval_reminder",
        "event_id": "0" * 32,
        "stage": 50,
        "expires_at": "2026-11-26T08:01:48Z",
    }
    await line.consumer.on_event(event_from_body(reminder), ORIGIN)
    assert await line.facts("decision_recorded") == []


def shown_config():
    return {
        (sample.labels["version"], sample.labels["state"])
        for metric in CONFIG_VERSION_INFO.collect()
        for sample in metric.samples
        if sample.value == 1
    }


async def test_the_metric_names_the_config_in_force(line):
    assert shown_config() == {(line.configs.current().version, "good")}
    line.aws.objects.stored[URI] = a_file()
    await line.configs.refresh()
    assert shown_config() == {(line.configs.current().version, "good")}


async def test_a_second_config_of_a_service_is_shown_beside_the_first(line):
    other = ConfigSource(
        "alert_routes",
        URI,
        load_workflow_config,
        objects=line.aws.objects,
        copies=line.store.effects,
        report=config_reporter("alert_routes", line.store.record, "dev", SERVICE, line.clock),
        service=SERVICE,
        clock=line.clock,
    )
    await other.refresh()
    line.aws.objects.stored[URI] = a_file()
    await line.configs.refresh()
    await other.refresh()
    names = [sample.labels["config"] for sample in CONFIG_VERSION_INFO.collect()[0].samples]
    assert sorted(names) == ["alert_routes", "workflow_config"]


async def test_a_bad_config_never_replaces_a_good_one(line):
    before = line.configs.current()
    line.aws.objects.stored[URI] = b'{"version": "2.0", "workflows": {"a": {"on_succes": []}}}'
    await line.configs.refresh()
    assert line.configs.current() == before
    assert shown_config() == {(before.version, "bad")}
    assert "on_succes" in (line.configs.problem or "")
    [rejected] = await line.facts("config_rejected")
    assert "on_succes" in rejected.body["reason"]


async def test_a_restart_beside_a_bad_file_goes_on_with_the_last_good_copy(line):
    line.aws.objects.stored[URI] = b"not json"
    restarted = line.a_source()
    await restarted.ready()
    assert restarted.current().version == line.configs.current().version


async def test_a_restart_while_s3_is_away_goes_on_with_the_last_good_copy(line):
    restarted = line.a_source()
    line.aws.objects.failures.append(AwsUnavailable("away"))
    await restarted.ready()
    assert restarted.current().version == line.configs.current().version


async def test_with_no_config_ever_seen_the_service_is_not_ready():
    line = Line()
    del line.aws.objects.stored[URI]
    with pytest.raises(ConfigMissing, match=r"workflow_config\.json"):
        await line.configs.ready()


async def test_a_forged_decision_cannot_occupy_the_record_of_an_honest_one(line):
    run = await line.store_run(quality_status="RED")
    honest = event_from_body(an_approval_decision(job_name=run.job_name, job_run_id=run.job_run_id))
    forged = event_from_body(
        an_approval_decision(
            job_name=run.job_name,
            job_run_id=run.job_run_id,
            decision="REJECTED",
            decided_by="mallory@example.com",
        )
        | {"event_id": honest.event_id}
    )
    refused_id = approval_refused_id(forged.environment, forged.content_hash)
    await line.store.decisions.create(f"verdict|{refused_id}", {"kind": "verdict", "outcome": "refused"})
    await line.consumer.on_event(forged, ORIGIN)
    await line.accept(honest, run)
    await line.consumer.on_event(honest, ORIGIN)
    assert [message["dag_id"] for message in line.sent] == ["filter_image_glue_pyspark"]


async def test_a_message_that_only_bears_the_accepted_id_lends_nothing_to_record_or_triggers(line):
    run = await line.store_run(quality_status="RED")
    honest = event_from_body(an_approval_decision(job_name=run.job_name, job_run_id=run.job_run_id))
    forged = event_from_body(
        honest.body | {"decision": "REJECTED", "decided_by": "mallory@example.com"},
    )
    assert forged.event_id == honest.event_id
    await line.accept(honest, run)
    await line.consumer.on_event(forged, ORIGIN)
    assert line.sent == []
    await line.consumer.on_event(honest, ORIGIN)
    assert [message["source"]["event_id"] for message in line.sent] == [honest.event_id]


async def test_a_conflicting_copy_lends_no_time_to_the_record_or_to_what_is_stale(line):
    run = await line.store_run()
    forged = event_from_body(run.body | {"timestamp": "2026-11-02T00:00:00.000000Z"})
    await line.consumer.on_event(forged, ORIGIN)
    [record] = await line.facts("decision_recorded")
    assert record.timestamp == run.timestamp
    assert await line.facts("trigger_skipped") == []
