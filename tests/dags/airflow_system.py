"""A real Airflow beside an AWS stand-in: the processes that a DAG needs, on free ports, in one folder."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3

REPOSITORY = Path(__file__).parents[2]
HERE = Path(__file__).parent
ENVIRONMENT = "local"
READY_SECONDS = 150.0
Json = dict[str, Any]


def wait_for(check: Callable[[], Any], seconds: float = 90.0, pause: float = 0.1) -> Any:
    """The first true answer of `check`. Raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := check()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing after {seconds} s")
        time.sleep(pause)  # noqa: TID251  another process is waited for
    return answer


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class System:
    """The running system, seen from outside: the queue, the topic and Airflow's API."""

    api: str
    sqs: Any
    queue_url: str
    dead_letters_url: str
    facts_url: str
    records: Path
    seen_facts: list[Json] = field(default_factory=list)

    def send(self, body: Json | str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=text)

    def get(self, path: str) -> Json | None:
        try:
            with urllib.request.urlopen(f"{self.api}{path}", timeout=10) as answer:
                return json.load(answer)
        except OSError:  # not there, not up yet, or slow beside other work
            return None

    def run(self, dag_id: str, run_id: str) -> Json | None:
        return self.get(f"/dags/{dag_id}/dagRuns/{run_id}")

    def is_waiting(self) -> bool:
        """Whether the dispatcher holds a long poll on the queue."""
        answer = self.get("/dags/event_dispatcher/dagRuns/~/taskInstances?state=running") or {}
        return any(task["task_id"] == "receive" for task in answer.get("task_instances", []))

    def dispatched(self) -> list[str]:
        """Run ids of the dispatcher whose batch was handled without a refusal, newest first."""
        answer = self.get("/dags/event_dispatcher/dagRuns?state=success&order_by=-run_after&limit=5") or {}
        return [quote(run["dag_run_id"]) for run in answer.get("dag_runs", [])]

    def run_ids(self, dag_id: str) -> list[str]:
        answer = self.get(f"/dags/{dag_id}/dagRuns?limit=100&order_by=-run_after") or {}
        return [run["dag_run_id"] for run in answer.get("dag_runs", [])]

    def finished(self, dag_id: str, run_id: str) -> Json:
        def ended() -> Json | None:
            run = self.run(dag_id, run_id)
            return run if run and run["state"] in ("success", "failed") else None

        return wait_for(ended)

    def fact(self, event_type: str, trigger_id: str) -> Json:
        """The first fact of a type about a trigger, as a subscriber of the topic receives it."""

        def found() -> Json | None:
            self.seen_facts += [json.loads(body) for body in self._take(self.facts_url)]
            wanted = (event_type, trigger_id)
            return next((f for f in self.seen_facts if (f["event_type"], f["trigger_id"]) == wanted), None)

        return wait_for(found)

    def dead_letters(self, expected: int) -> list[str]:
        """Bodies of the next `expected` dead letters."""
        bodies: list[str] = []

        def enough() -> bool:
            bodies.extend(self._take(self.dead_letters_url))
            return len(bodies) >= expected

        wait_for(enough, seconds=150)
        return bodies

    def _take(self, url: str) -> list[str]:
        messages = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in messages]


@contextmanager
def started(arguments: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    """A process with its log in a file; ended by its process id."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            arguments, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def settings(folder: Path, airflow_port: int, aws_port: int) -> dict[str, str]:
    """The fast settings of dags/README.md."""
    url = f"http://127.0.0.1:{airflow_port}"
    aws = f"http://127.0.0.1:{aws_port}"
    return {
        **os.environ,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(airflow_port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": "only-for-this-test",
        "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-this-test" * 4,
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "300",
        "AWS_ENDPOINT_URL": aws,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AIRFLOW_VAR_MWAA_TRIGGER_QUEUE_URL": f"{aws}/000000000000/mwaa-triggers",
        "AIRFLOW_VAR_DWH_ENVIRONMENT": ENVIRONMENT,
        "AIRFLOW_VAR_DWH_JOB_EVENTS_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:job-events",
        "AIRFLOW_VAR_DWH_TARGET_RUNNER": "local",
        "AIRFLOW_VAR_DWH_JOB_CONFIG_URI": "file:///jobs",
        "AIRFLOW_VAR_DWH_LOCAL_COMMAND": json.dumps([sys.executable, str(HERE / "record_arguments.py")]),
        "AIRFLOW_VAR_SECRET": "the secret of a Variable",
        "AIRFLOW_CONN_X": "http://user:the-password@host",
        "RECORD_FOLDER": str(folder / "records"),
    }


def _topology(endpoint: str) -> tuple[Any, dict[str, str]]:
    login = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    login |= {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    sqs, sns = boto3.client("sqs", **login), boto3.client("sns", **login)
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("mwaa-triggers-dlq", "facts")}
    redrive = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:mwaa-triggers-dlq"}
    urls["mwaa-triggers"] = sqs.create_queue(
        QueueName="mwaa-triggers",
        Attributes={"RedrivePolicy": json.dumps({**redrive, "maxReceiveCount": 5})},
    )["QueueUrl"]
    sns.subscribe(
        TopicArn=sns.create_topic(Name="job-events")["TopicArn"],
        Protocol="sqs",
        Endpoint="arn:aws:sqs:us-east-1:000000000000:facts",
        Attributes={
            "RawMessageDelivery": "true",
            "FilterPolicy": json.dumps(
                {"event_type": ["dag_run_created", "dag_run_finished", "trigger_failed"]}
            ),
        },
    )
    return sqs, urls


@contextmanager
def running_system(folder: Path) -> Iterator[System]:
    """Airflow and the AWS stand-in, ready: the dispatcher waits for messages, every target is known."""
    airflow_port, aws_port = free_port(), free_port()
    environment = settings(folder, airflow_port, aws_port)
    airflow = str(Path(sys.executable).parent / "airflow")
    gateway = str(REPOSITORY / ".venvs" / "aws" / "bin" / "ministack")
    shutil.copytree(REPOSITORY / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(HERE / "targets", folder / "dags", dirs_exist_ok=True)
    (folder / "records").mkdir()
    with ExitStack() as stack:
        aws_environment = {**os.environ, "GATEWAY_PORT": str(aws_port)}
        stack.enter_context(started([gateway], folder / "aws.log", aws_environment))
        subprocess.run([airflow, "db", "migrate"], env=environment, check=True, capture_output=True)
        sqs, urls = wait_for(lambda: _try(lambda: _topology(f"http://127.0.0.1:{aws_port}")))
        for name in (["api-server"], ["scheduler", "--skip-serve-logs"], ["dag-processor"]):
            stack.enter_context(started([airflow, *name], folder / f"{name[0]}.log", environment))
        system = System(
            api=f"http://127.0.0.1:{airflow_port}/api/v2",
            sqs=sqs,
            queue_url=urls["mwaa-triggers"],
            dead_letters_url=urls["mwaa-triggers-dlq"],
            facts_url=urls["facts"],
            records=folder / "records",
        )
        targets = ("echo_target", "not_a_target", "filter_image_glue_pyspark")
        wait_for(system.is_waiting, READY_SECONDS)
        wait_for(lambda: all(system.get(f"/dags/{target}") for target in targets), READY_SECONDS)
        yield system


def _try(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception:  # noqa: BLE001  the stand-in is still starting
        return None
