"""Job events at a steady rate, and what must be found of each afterwards: stored once, one effect."""

import itertools
import json
import threading
import time
from collections import Counter

import httpx
from dwh_contracts.attributes import attributes_of
from dwh_contracts.canonical import canonical_json
from dwh_contracts.clock import SystemClock
from dwh_contracts.testing import a_job_event
from dwh_contracts.times import format_time
from dwh_local.aws import client
from dwh_local.topology import ensure_queue, subscribe
from kube import CONSUMERS
from waiting import until

FAILED_EVERY = 50
LOCAL, TRIGGERS = "local", "mwaa-triggers"


class Load:
    """Of fifty events one has failed and opens an incident (one alert); the others start a DAG (one trigger).

    Airflow must be down: triggers are read from its queue.
    """

    def __init__(self, system, name):
        self.system, self.name = system, name
        self.sent, self.failed = {}, set()
        names, endpoint = system.names, system.names.endpoint_url
        self._sns, self._sqs = client("sns", endpoint), client("sqs", endpoint)
        self._topic = names.topic_arn("job-events")
        self._heard = f"heard-{name}"
        ensure_queue(self._sqs, names.name(self._heard), {})
        self._sqs.purge_queue(QueueUrl=names.queue_url(TRIGGERS))
        for topic in ("quality-alerts-warning", "quality-alerts-critical"):
            subscribe(self._sns, names.topic_arn(topic), names.queue_arn(self._heard), {})
        self._stop, self._thread = threading.Event(), None

    def send(self, count):
        for number in range(len(self.sent), len(self.sent) + count):
            self._send(number)

    def begin(self, per_second=50):
        def beat():
            began = time.monotonic()
            for number in itertools.count():
                if self._stop.wait(max(0.0, began + number / per_second - time.monotonic())):
                    return
                self._send(number)

        self._thread = threading.Thread(target=beat, daemon=True)
        self._thread.start()

    def end(self):
        self._stop.set()
        self._thread.join()

    def waiting(self, consumer):
        """Messages of a consumer's queue that are not yet handled, those in flight included."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        url = self.system.names.queue_url(consumer)
        found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
        return sum(int(found[name]) for name in names)

    def settled(self):
        """Whether every queue is empty, dead letters counted."""
        return all(self.waiting(queue) == 0 for queue in CONSUMERS)

    def dead(self):
        return {queue: count for queue in CONSUMERS if (count := self.waiting(f"{queue}-dlq"))}

    def lost_or_doubled(self):
        """What is not as it must be; empty when each event is stored once and had its one effect."""
        runs = {body["job_run_id"] for body in self.sent.values()} - self.failed
        stored = {document["event_id"] for document in self._documents("events-job-v1-*")}
        problems = [f"not stored: {event_id}" for event_id in sorted(set(self.sent) - stored)]
        started = Counter(
            source
            for source, _ in {(m["source"]["job_run_id"], m["run_id"]) for m in self._received(TRIGGERS)}
        )
        problems += [f"{started[run]} DAG runs for {run}" for run in sorted(runs) if started[run] != 1]
        told = [alert for alert in self._opened() if not alert["possible_duplicate"]]
        raised = Counter(alert["job_run_id"] for alert in told)
        problems += [f"{raised[run]} alerts for {run}" for run in sorted(self.failed) if raised[run] > 1]
        return problems + [f"dead letters: {queue} {count}" for queue, count in self.dead().items()]

    def _opened(self):
        """What was told of the failed runs, each one at least once.

        Who takes a delivery over from a process that died in it cannot know whether it was sent: the
        message says so, and may be the only one. It goes out when the lease of the dead one has run out.
        """
        opened = []

        def all_told():
            opened.extend(alert for alert in self._received(self._heard) if alert["transition"] == "opened")
            return self.failed <= {alert["job_run_id"] for alert in opened}

        until(all_told, "an alert for each failed run", seconds=60)
        return opened

    def _send(self, number):
        run_id = f"load-{self.name}-{number}"
        over = {"environment": LOCAL, "job_run_id": run_id, "timestamp": format_time(SystemClock().now())}
        if number % FAILED_EVERY == FAILED_EVERY - 1:
            self.failed.add(run_id)
            body = a_job_event(status="FAILED", job_name=f"load_{self.name}_{number}", **over)
        else:
            body = a_job_event(**over)
        self.sent[body["event_id"]] = body
        attributes = {
            key: {"DataType": "String", "StringValue": value} for key, value in attributes_of(body).items()
        }
        text = canonical_json(body).decode()
        self._sns.publish(TopicArn=self._topic, Message=text, MessageAttributes=attributes)

    def _documents(self, index):
        query = {"prefix": {"job_run_id": f"load-{self.name}-"}}
        url = f"{self.system.opensearch_url}/{index}"
        httpx.post(f"{url}/_refresh", timeout=30).raise_for_status()
        answer = httpx.post(
            f"{url}/_search",
            json={"size": 10_000, "_source": ["event_id", "job_run_id"], "query": query},
            timeout=60,
        )
        return [hit["_source"] for hit in answer.raise_for_status().json()["hits"]["hits"]]

    def _received(self, queue):
        """Every message of a queue; one that a reader before us took and died with comes back in its time."""
        url, found = self.system.names.queue_url(queue), []

        def emptied():
            while messages := self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                for message in messages:
                    found.append(json.loads(message["Body"]))
                    self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return self.waiting(queue) == 0

        until(emptied, f"every message of {queue}", seconds=300)
        return found
