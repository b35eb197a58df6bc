"""Turn the trigger messages of an SQS queue into DAG runs, each once.

Guarantees that a message is deleted only after its DAG run exists, that copies of a message make one run
(the run id stands in the message), and that a bad message never stops its neighbours. Does not guarantee
order. Text of a message is data: no template field carries it.

The file stands alone, imports nothing but the standard library, boto3 and Airflow, and runs unchanged on
Airflow 2.10 to 3.3.
"""

# ruff: noqa: PLC0415  imports of one line of Airflow stand in the branch of that line

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import boto3
from airflow.providers.amazon.aws.sensors.sqs import SqsSensor

try:
    from airflow.sdk import DAG, Variable, get_current_context, task, timezone

    AIRFLOW_3 = True
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models import Variable
    from airflow.operators.python import get_current_context
    from airflow.utils import timezone

    AIRFLOW_3 = False

log = logging.getLogger(__name__)

TARGET_TAG = "dwh-target"
BATCH = 10
VISIBILITY_SECONDS = 120
REFUSED_SECONDS = 5  # short, so that SQS moves a bad message to the dead letters soon
TRANSIENT_SECONDS = 30  # times the number of receives
LAST_RECEIVE = 5  # redrive of the queue
DRAIN_SECONDS = 60.0
DRAIN_MESSAGES = 500

_TOKEN = re.compile(r"[\x21-\x2e\x30-\x7e]{1,250}")  # printable ASCII without space and "/"
_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")

Json = dict[str, Any]


class RefusedError(Exception):
    """The message is malformed, or names a DAG that may not, cannot or will not run with its conf.

    It is left for the dead letters. Every other exception means: try this message again later.
    """


@dataclass(frozen=True, slots=True)
class Source:
    """The job run that a trigger came from."""

    job_name: str
    job_run_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Trigger:
    """A valid trigger message. `source` is None when a message of the old form does not tell."""

    trigger_id: str
    dag_id: str
    run_id: str
    conf: Json
    source: Source | None


def read_body(raw: str, environment: str) -> Json:
    """The JSON object of a message, one of the old form in today's. Raises RefusedError."""
    try:
        body = json.loads(raw, parse_constant=_no_constant)
        if not isinstance(body, dict):
            raise RefusedError("the message is not a JSON object")
        is_old = "schema_version" not in body and "trigger_id" not in body
        return _from_old_form(body, environment) if is_old else body
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"the message is not JSON: {type(error).__name__}") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _from_old_form(body: Json, environment: str) -> Json:
    """Only `dag_id` and `conf` were sent: the id is a hash of them, the source what the conf tells."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    trigger_id = hashlib.sha256(canonical.encode()).hexdigest()[:32]
    conf = body.get("conf")
    told = conf if isinstance(conf, dict) else {}
    job_name, job_run_id = told.get("triggered_by_job"), told.get("triggered_by_run_id")
    source = source_of({"source": {"job_name": job_name, "job_run_id": job_run_id, "attempt": 1}})
    return {
        **body,
        "schema_version": "1.0",
        "environment": environment,
        "trigger_id": trigger_id,
        "run_id": f"trig__{source.job_name if source else 'unknown'}__{trigger_id}",
        "source": asdict(source) if source else None,
        "conf": {} if conf is None else conf,
    }


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def source_of(body: Json) -> Source | None:
    """The run that caused the trigger, or None when it cannot be read."""
    source = body.get("source")
    if not isinstance(source, dict):
        return None
    job_name, job_run_id, attempt = (source.get(key) for key in ("job_name", "job_run_id", "attempt"))
    readable = _matches(_JOB_NAME, job_name) and _matches(_TOKEN, job_run_id)
    if not readable or not isinstance(attempt, int) or isinstance(attempt, bool):
        return None
    return Source(str(job_name), str(job_run_id), attempt)


def validate(body: Json, environment: str) -> Trigger:
    """The trigger that a body describes. Raises RefusedError naming the first fault."""
    if str(body.get("schema_version")).split(".")[0] != "1":
        raise RefusedError(f"unsupported schema_version {body.get('schema_version')!r}")
    for name in ("dag_id", "run_id", "trigger_id"):
        if not _matches(_TOKEN, body.get(name)):
            raise RefusedError(f"{name} must be 1 to 250 printable characters without space and '/'")
    if not isinstance(body.get("conf"), dict):
        raise RefusedError("conf must be an object")
    if body.get("environment") != environment:
        raise RefusedError(f"environment must be {environment!r}")
    source = source_of(body)
    if source is None and body.get("source", "absent") is not None:
        raise RefusedError("source must name job_name, job_run_id and attempt")
    return Trigger(body["trigger_id"], body["dag_id"], body["run_id"], body["conf"], source)


def require_allowed(dag_id: str, patterns: Iterable[str] | None, tags_of: Callable[[str], set[str]]) -> None:
    """Refuse a DAG that no pattern allows or, without patterns, that does not carry the tag."""
    if patterns is not None:
        if not any(fnmatchcase(dag_id, pattern) for pattern in patterns):
            raise RefusedError(f"DAG {dag_id!r} is not in dwh_allowed_dag_ids")
    elif TARGET_TAG not in tags_of(dag_id):
        raise RefusedError(f"DAG {dag_id!r} does not carry the tag {TARGET_TAG}")


def allowed_patterns(text: str | None) -> list[str] | None:
    """Patterns from the Variable: a JSON list of DAG ids or globs, or one glob; None when it is not set."""
    patterns = json.loads(text) if text and text.lstrip().startswith("[") else [text]
    return [str(pattern) for pattern in patterns] if text else None


def tags_of_dag(dag_id: str) -> set[str]:
    """Tags of a DAG as Airflow knows it. Raises RefusedError when the DAG is unknown."""
    if AIRFLOW_3:
        # Missing below 3.2: there dwh_allowed_dag_ids must be set.
        from airflow.sdk.execution_time.comms import GetDag

        return set(_ask_supervisor(GetDag(dag_id=dag_id)).tags)
    from airflow.models import DagModel, DagTag
    from airflow.utils.session import create_session

    with create_session() as session:
        if session.get(DagModel, dag_id) is None:
            raise RefusedError(f"DAG {dag_id!r} is unknown")
        return {tag.name for tag in session.query(DagTag).filter(DagTag.dag_id == dag_id)}


def create_run(trigger: Trigger) -> bool:
    """Create the DAG run; False when it exists already. Raises RefusedError.

    One branch per line of Airflow: on 3 the request that the handler of TriggerDagRunOperator makes (the
    operator itself makes one run per task, because it raises), on 2 the function that operator calls.
    """
    return _create_run_3(trigger) if AIRFLOW_3 else _create_run_2(trigger)


def _create_run_3(trigger: Trigger) -> bool:
    from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun

    answer = _ask_supervisor(
        TriggerDagRun(dag_id=trigger.dag_id, run_id=trigger.run_id, conf=trigger.conf, logical_date=None)
    )
    if not isinstance(answer, ErrorResponse):
        return True
    if answer.error.value == "DAGRUN_ALREADY_EXISTS":
        return False
    raise RuntimeError(f"Airflow answered {answer.error.value}")


def _ask_supervisor(request: Any) -> Any:
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    try:
        return SUPERVISOR_COMMS.send(request)
    except AirflowRuntimeError as error:
        detail = error.error.detail or {}
        if detail.get("status_code") not in (400, 404, 422):
            raise
        raise RefusedError(f"Airflow answered: {detail.get('detail') or detail.get('message')}") from error


def _create_run_2(trigger: Trigger) -> bool:
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.exceptions import AirflowException, DagRunAlreadyExists
    from airflow.models import DagRun

    date = timezone.utcnow()
    while True:
        try:
            trigger_dag(
                dag_id=trigger.dag_id,
                run_id=trigger.run_id,
                conf=trigger.conf,
                execution_date=date,
                replace_microseconds=False,
            )
        except DagRunAlreadyExists:  # also raised when only the execution date collides
            if DagRun.find(dag_id=trigger.dag_id, run_id=trigger.run_id):
                return False
            date += timedelta(microseconds=1)
        except (AirflowException, ValueError) as error:  # unknown DAG, run id or params refused
            raise RefusedError(str(error)) from error
        else:
            return True


def dag_run_created(trigger: Trigger, source: Source, environment: str, now: datetime) -> Json:
    """The fact that the DAG run of a trigger exists."""
    parts = ("dag_run_created", environment, trigger.dag_id, trigger.run_id)
    return {
        **_envelope(parts, source, trigger.trigger_id, now),
        "dag_id": trigger.dag_id,
        "dag_run_id": trigger.run_id,
    }


def trigger_failed(body: Json, reason: str, environment: str, now: datetime) -> Json | None:
    """The fact that a trigger was refused; None when its id or source cannot be read."""
    source, trigger_id, dag_id = source_of(body), body.get("trigger_id"), body.get("dag_id")
    if source is None or not isinstance(trigger_id, str) or not _matches(_TOKEN, trigger_id):
        return None
    return {
        **_envelope(("trigger_failed", environment, trigger_id), source, trigger_id, now),
        "dag_id": dag_id if _matches(_TOKEN, dag_id) else None,
        "reason": reason[:2000],
    }


def _envelope(parts: tuple[str, ...], source: Source, trigger_id: str, now: datetime) -> Json:
    return {
        "schema_version": "1.0",
        "event_type": parts[0],
        "event_id": hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32],
        "environment": parts[1],
        **asdict(source),
        "timestamp": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "producer": "event_dispatcher",
        "causation_id": trigger_id,
        "trigger_id": trigger_id,
    }


def sns_entry(fact: Json) -> Json:
    """One entry of an SNS batch for a fact, with the attributes that subscriptions filter on."""
    names = ("event_type", "event_id", "environment", "schema_version", "job_name")
    return {
        "Id": fact["event_id"],
        "Message": json.dumps(fact),
        "Subject": f"Job Event: {fact['job_name']} - {fact['event_type']}"[:99],
        "MessageAttributes": {name: {"DataType": "String", "StringValue": fact[name]} for name in names},
    }


@dataclass
class Dispatcher:
    """Handles messages one by one, settles them batch by batch.

    `create` makes the run, `allow` raises RefusedError for a DAG that may not be started. Both, the clients
    and `now` are given, so that rules can be tested without Airflow.
    """

    sqs: Any
    sns: Any
    queue_url: str
    topic_arn: str | None
    environment: str
    allow: Callable[[str], None]
    create: Callable[[Trigger], bool]
    now: Callable[[], datetime]
    refused: list[str] = field(default_factory=list)
    handled: int = 0

    def drain(self, batch: list[Json], monotonic: Callable[[], float] = time.monotonic) -> None:
        """Handle `batch` and whatever else waits, until the queue is empty, 60 s or 500 messages."""
        deadline = monotonic() + DRAIN_SECONDS
        while batch:
            self.handle(batch)
            self.handled += len(batch)
            if self.handled >= DRAIN_MESSAGES or monotonic() >= deadline:
                return
            batch = receive_messages(self.sqs, self.queue_url, wait_seconds=0)

    def handle(self, batch: list[Json]) -> None:
        """Handle up to ten messages, each in its own try, then publish facts and delete what became a run."""
        done: list[Json] = []
        facts: list[Json] = []
        for message in batch:
            fact, accepted = self._handle_one(message)
            done.extend([message] if accepted else [])
            facts.extend([fact] if fact else [])
        published = self._publish(facts)
        # A fact that did not leave is worth another receive, but never a run among the dead letters.
        self._delete([message for message in done if published or _receives(message) >= LAST_RECEIVE - 1])

    def _handle_one(self, message: Json) -> tuple[Json | None, bool]:
        body: Json = {}
        try:
            body = read_body(message["Body"], self.environment)
            trigger = validate(body, self.environment)
            self.allow(trigger.dag_id)
            created = self.create(trigger)
        except RefusedError as error:
            return self._refuse(message, body, str(error)), False
        except Exception:  # the edge: whatever else goes wrong with one message is tried again
            log.exception("message_postponed message_id=%s", message["MessageId"])
            self._show_again(message, TRANSIENT_SECONDS * _receives(message))
            return None, False
        log.info("dag_run_there dag_id=%r run_id=%r new=%s", trigger.dag_id, trigger.run_id, created)
        source = trigger.source
        return (dag_run_created(trigger, source, self.environment, self.now()) if source else None), True

    def _refuse(self, message: Json, body: Json, reason: str) -> Json | None:
        name = f"{message['MessageId']} (trigger {body.get('trigger_id')!r:.99}): {reason}"
        log.error("message_refused %s", name)
        self.refused.append(name)
        self._show_again(message, REFUSED_SECONDS)
        return trigger_failed(body, reason, self.environment, self.now())

    def _show_again(self, message: Json, seconds: int) -> None:
        try:
            self.sqs.change_message_visibility(
                QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
            )
        except Exception:  # then it shows again by itself, later
            log.exception("visibility_not_changed message_id=%s", message["MessageId"])

    def _delete(self, messages: list[Json]) -> None:
        if not messages:
            return
        entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)]
        try:
            answer = self.sqs.delete_message_batch(QueueUrl=self.queue_url, Entries=entries)
        except Exception:  # it comes again and finds its run
            log.exception("messages_not_deleted count=%d", len(messages))
            return
        for failed in answer.get("Failed", []):
            log.error("message_not_deleted message_id=%s", messages[int(failed["Id"])]["MessageId"])

    def _publish(self, facts: list[Json]) -> bool:
        if not facts or not self.topic_arn:
            return True
        entries = list({fact["event_id"]: sns_entry(fact) for fact in facts}.values())
        try:
            answer = self.sns.publish_batch(TopicArn=self.topic_arn, PublishBatchRequestEntries=entries)
        except Exception:  # the facts are tried again with their messages
            log.exception("facts_not_published count=%d", len(entries))
            return False
        for failed in answer.get("Failed", []):
            log.error("fact_not_published event_id=%s code=%s", failed["Id"], failed.get("Code"))
        return not answer.get("Failed")


def receive_messages(sqs: Any, queue_url: str, *, wait_seconds: int) -> list[Json]:
    """Up to ten messages, not deleted, each with the number of its receives."""
    answer = sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=BATCH,
        WaitTimeSeconds=wait_seconds,
        VisibilityTimeout=VISIBILITY_SECONDS,
        AttributeNames=["ApproximateReceiveCount"],
    )
    return list(answer.get("Messages", []))


def _receives(message: Mapping[str, Any]) -> int:
    return int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))


def variable(name: str, default: str | None = None) -> str | None:
    """An Airflow Variable, read while a task runs."""
    value = Variable.get(name, default=default) if AIRFLOW_3 else Variable.get(name, default_var=default)
    return None if value is None else str(value)


def region() -> str | None:
    """AWS region of this environment; boto3 alone does not read AWS_REGION."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


def forget_messages(ti: Any) -> None:
    """Delete what `receive` left in XCom: texts of messages are not kept in Airflow's database."""
    place = {"dag_id": ti.dag_id, "task_id": "receive", "run_id": ti.run_id}
    if AIRFLOW_3:
        from airflow.sdk.execution_time.xcom import XCom

        XCom.delete(key="messages", **place)
        return
    from airflow.models import XCom

    XCom.clear(**place)


class TriggerQueueSensor(SqsSensor):  # type: ignore[misc,unused-ignore]
    """Wait for work without deleting it, and say how often each message was received."""

    def execute(self, context: Any) -> Any:
        """Wait in the worker, or in the triggerer where the Variable `dwh_deferrable` is `true`."""
        self.deferrable = variable("dwh_deferrable", "false") == "true"
        return super().execute(context)

    def poll_sqs(self, sqs_conn: Any) -> Any:
        """Receive as the base class does, with the receive count."""
        messages = receive_messages(sqs_conn, self.sqs_queue, wait_seconds=self.wait_time_seconds)
        return {"Messages": messages}


with DAG(
    dag_id="event_dispatcher",
    description="Starts the DAG runs that arrive as messages on the mwaa-triggers queue",
    schedule="@continuous",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["dwh"],
    doc_md=__doc__,
) as dag:
    # One task waits up to an hour for the first message: an idle queue costs 24 skipped runs a day, not one
    # every poll. A lost queue is tried again with growing pauses by the same run.
    receive = TriggerQueueSensor(
        task_id="receive",
        sqs_queue="{{ var.value.mwaa_trigger_queue_url }}",
        aws_conn_id=None,
        region_name=region(),
        wait_time_seconds=20,
        delete_message_on_reception=False,
        poke_interval=1,
        timeout=3600,
        soft_fail=True,
        retries=100,
        retry_delay=timedelta(seconds=5),
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(minutes=2),
    )

    @task(task_id="dispatch", retries=0)  # type: ignore[untyped-decorator,unused-ignore]
    def dispatch() -> None:
        """Create the DAG runs of all waiting messages; fails at the end when any was refused."""
        ti = get_current_context()["ti"]
        patterns = allowed_patterns(variable("dwh_allowed_dag_ids"))
        tags = cache(tags_of_dag)
        dispatcher = Dispatcher(
            sqs=boto3.client("sqs", region_name=region()),
            sns=boto3.client("sns", region_name=region()),
            queue_url=str(variable("mwaa_trigger_queue_url")),
            topic_arn=variable("dwh_job_events_topic_arn"),
            environment=str(variable("dwh_environment")),
            allow=lambda dag_id: require_allowed(dag_id, patterns, tags),
            create=create_run,
            now=timezone.utcnow,
        )
        dispatcher.drain(ti.xcom_pull(task_ids="receive", key="messages") or [])
        forget_messages(ti)
        if dispatcher.refused:
            raise RuntimeError("; ".join(dispatcher.refused))

    receive >> dispatch()
