"""How the dispatcher settles messages, on a queue and a topic in memory."""

# ruff: noqa: N803  the names of AWS

import json
from datetime import UTC, datetime, timedelta, timezone

import event_dispatcher as module
import pytest
from event_dispatcher import Dispatcher, RefusedError
from messages import a_trigger, received

NOW = datetime(2026, 11, 23, 10, 0, 0, 1, tzinfo=timezone(timedelta(hours=1)))


class Cut(BaseException):
    """The worker is killed here."""


class MemoryAws:
    """A queue that hands out `waiting` and a topic; both write down what is asked of them, in order."""

    def __init__(self, waiting=()):
        self.waiting = list(waiting)
        self.deleted, self.shown_again, self.facts, self.calls = [], {}, [], []
        self.topic_is_away = self.queue_is_away = False

    def receive_message(self, **request):
        self.calls.append("receive")
        assert request["WaitTimeSeconds"] == 0
        batch, self.waiting = self.waiting[:10], self.waiting[10:]
        return {"Messages": batch} if batch else {}

    def delete_message_batch(self, QueueUrl, Entries):
        self.calls.append("delete")
        assert 1 <= len(Entries) <= 10
        if self.queue_is_away:
            raise ConnectionError
        self.deleted += [entry["ReceiptHandle"] for entry in Entries]
        return {"Successful": Entries}

    def change_message_visibility(self, QueueUrl, ReceiptHandle, VisibilityTimeout):
        if self.queue_is_away:
            raise ConnectionError
        self.shown_again[ReceiptHandle] = VisibilityTimeout

    def publish_batch(self, TopicArn, PublishBatchRequestEntries):
        self.calls.append("publish")
        if self.topic_is_away:
            raise ConnectionError
        ids = [entry["Id"] for entry in PublishBatchRequestEntries]
        assert len(set(ids)) == len(ids)
        self.facts += PublishBatchRequestEntries
        return {"Successful": PublishBatchRequestEntries}


class Runs:
    """The runs that exist; `failing` maps a DAG id to what its creation raises."""

    def __init__(self, aws, failing=None):
        self.aws, self.failing, self.conf_of = aws, failing or {}, {}

    def create(self, trigger):
        self.aws.calls.append("create")
        if error := self.failing.get(trigger.dag_id):
            raise error
        is_new = trigger.run_id not in self.conf_of
        self.conf_of.setdefault(trigger.run_id, trigger.conf)
        return is_new


def a_dispatcher(aws, runs, topic_arn="topic"):
    return Dispatcher(
        sqs=aws,
        sns=aws,
        queue_url="queue",
        topic_arn=topic_arn,
        environment="local",
        allow=lambda _: None,
        create=runs.create,
        now=lambda: NOW,
    )


def messages(*bodies, receives=1):
    return [received(body, message_id=f"m-{i}", receives=receives) for i, body in enumerate(bodies)]


def test_poison_in_the_middle_of_ten_leaves_nine_runs_and_stays_in_the_queue():
    aws = MemoryAws()
    runs = Runs(aws)
    dispatcher = a_dispatcher(aws, runs)
    bodies = [a_trigger(str(i)) for i in range(9)]
    dispatcher.drain(messages(*bodies[:5], "poison", *bodies[5:]))
    assert set(runs.conf_of) == {body["run_id"] for body in bodies}
    assert "handle-m-5" not in aws.deleted
    assert len(aws.deleted) == 9
    assert aws.shown_again == {"handle-m-5": 5}
    assert len(dispatcher.refused) == 1
    assert "m-5" in dispatcher.refused[0]


def test_a_message_is_deleted_after_its_run_exists_and_its_fact_left():
    aws = MemoryAws()
    a_dispatcher(aws, Runs(aws)).drain(messages(a_trigger("order")))
    assert aws.calls == ["create", "publish", "delete", "receive"]


def test_a_worker_killed_before_the_delete_loses_nothing_and_makes_one_run():
    aws = MemoryAws()
    runs = Runs(aws)
    batch = messages(a_trigger("killed"), a_trigger("killed-too"))
    killed = a_dispatcher(aws, runs)
    killed.now = lambda: (_ for _ in ()).throw(Cut)
    with pytest.raises(Cut):
        killed.drain(batch)
    assert aws.deleted == []
    a_dispatcher(aws, runs).drain(batch)
    assert len(runs.conf_of) == 2
    assert aws.deleted == ["handle-m-0", "handle-m-1"]


def test_copies_in_one_batch_make_one_run_and_one_fact_and_are_all_deleted():
    aws = MemoryAws()
    runs = Runs(aws)
    a_dispatcher(aws, runs).drain(messages(*[a_trigger("copy")] * 3))
    assert len(runs.conf_of) == 1
    assert len(aws.deleted) == 3
    assert len(aws.facts) == 1


def test_a_transient_failure_is_tried_again_after_30_s_times_the_receives():
    aws = MemoryAws()
    dispatcher = a_dispatcher(aws, Runs(aws, failing={"echo_target": ConnectionError("database")}))
    dispatcher.drain(messages(a_trigger("transient"), receives=3))
    assert aws.shown_again == {"handle-m-0": 90}
    assert (aws.deleted, aws.facts, dispatcher.refused) == ([], [], [])


def test_a_refused_trigger_is_told_with_its_reason():
    aws = MemoryAws()
    body = a_trigger("refused")
    a_dispatcher(aws, Runs(aws, failing={"echo_target": RefusedError("params")})).drain(messages(body))
    (entry,) = aws.facts
    fact = json.loads(entry["Message"])
    assert (fact["event_type"], fact["reason"]) == ("trigger_failed", "params")
    assert (fact["trigger_id"], fact["dag_id"]) == (body["trigger_id"], "echo_target")
    assert aws.deleted == []


def test_an_unreadable_source_leaves_no_one_to_tell():
    aws = MemoryAws()
    a_dispatcher(aws, Runs(aws)).drain(messages(a_trigger("silent", source="me")))
    assert aws.facts == []


def test_a_fact_that_cannot_leave_keeps_its_message_until_the_fourth_receive():
    for receives, deleted in [(1, []), (3, []), (4, ["handle-m-0"])]:
        aws = MemoryAws()
        aws.topic_is_away = True
        a_dispatcher(aws, Runs(aws)).drain(messages(a_trigger("topic-away"), receives=receives))
        assert aws.deleted == deleted


def test_without_a_topic_runs_are_made_and_messages_deleted():
    aws = MemoryAws()
    a_dispatcher(aws, Runs(aws), topic_arn=None).drain(messages(a_trigger("no-topic")))
    assert (aws.deleted, aws.facts) == (["handle-m-0"], [])


def test_a_queue_away_at_settling_does_not_end_the_task():
    aws = MemoryAws()
    aws.queue_is_away = True
    runs = Runs(aws)
    a_dispatcher(aws, runs).drain(messages(a_trigger("away"), "poison"))
    assert len(runs.conf_of) == 1


def test_it_goes_on_until_the_queue_is_empty():
    bodies = [a_trigger(str(i)) for i in range(35)]
    waiting = messages(*bodies)
    aws = MemoryAws(waiting[10:])
    runs = Runs(aws)
    a_dispatcher(aws, runs).drain(waiting[:10])
    assert len(runs.conf_of) == len(aws.deleted) == 35


def test_it_stops_after_500_messages():
    aws = MemoryAws(messages(*[a_trigger("same")] * 700))
    dispatcher = a_dispatcher(aws, Runs(aws))
    dispatcher.drain(messages(*[a_trigger("same")] * 10))
    assert dispatcher.handled == 500


def test_it_stops_after_60_s():
    ticks = iter([0.0, 30.0, 59.9, 60.0])
    aws = MemoryAws(messages(*[a_trigger("slow")] * 100))
    dispatcher = a_dispatcher(aws, Runs(aws))
    dispatcher.drain(messages(a_trigger("slow")), monotonic=lambda: next(ticks))
    assert dispatcher.handled == 1 + 10 + 10


def test_a_created_run_is_told_under_the_id_of_the_contract():
    aws = MemoryAws()
    run_id = "trig__transform_images__e0425020062be67d657e27115e7529dc"
    body = a_trigger("golden", dag_id="filter_image_glue_pyspark", run_id=run_id, environment="dev")
    dispatcher = a_dispatcher(aws, Runs(aws))
    dispatcher.environment = "dev"
    dispatcher.drain(messages(body))
    (entry,) = aws.facts
    fact = json.loads(entry["Message"])
    assert fact == {
        "schema_version": "1.0",
        "event_type": "dag_run_created",
        "event_id": "5c454d9eaf40516004f50b310ab619ec",
        "environment": "dev",
        "job_name": "transform_images",
        "job_run_id": "run-golden",
        "attempt": 1,
        "timestamp": "2026-11-23T09:00:00.000001Z",
        "producer": "event_dispatcher",
        "causation_id": body["trigger_id"],
        "trigger_id": body["trigger_id"],
        "dag_id": "filter_image_glue_pyspark",
        "dag_run_id": run_id,
    }
    attributes = {name: value["StringValue"] for name, value in entry["MessageAttributes"].items()}
    assert attributes == {
        name: fact[name] for name in ("event_type", "event_id", "environment", "schema_version", "job_name")
    }


def test_the_dag_waits_calmly_and_deletes_nothing_on_reception():
    receive = module.dag.get_task("receive")
    assert (receive.delete_message_on_reception, receive.soft_fail) == (False, True)
    assert (receive.wait_time_seconds, receive.poke_interval, receive.timeout) == (20, 1, 3600)
    assert module.dag.max_active_runs == 1
    assert module.dag.start_date == datetime(2024, 1, 1, tzinfo=UTC)


def test_no_template_field_of_any_task_takes_message_text():
    templated = {
        name: getattr(task, name)
        for task in module.dag.tasks
        for name in task.template_fields
        if isinstance(getattr(task, name, None), str) and "{{" in getattr(task, name)
    }
    assert templated == {"sqs_queue": "{{ var.value.mwaa_trigger_queue_url }}"}
