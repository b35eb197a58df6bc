"""Publish the events of a run; never fails and never slows it.

Guarantees that an event is either sent or spooled within bounded time. Does not guarantee that it is sent
once: a second copy has the same id.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dwh_contracts.attributes import attributes_of, subject_of
from dwh_contracts.canonical import JsonObject, canonical_json
from dwh_contracts.claim_check import claim_check_message, needs_claim_check

from dwh_jobs.artifacts import open_store
from dwh_jobs.context import ExecutionContext
from dwh_jobs.errors import ConfigRefusedError
from dwh_jobs.logs import log
from dwh_jobs.publisher_config import PublisherConfig, PublisherKind
from dwh_jobs.sinks import EventSink, FileSink, Message, NoopSink, SnsSink
from dwh_jobs.spool import Spool
from dwh_jobs.uris import as_uri, bucket_and_key, is_s3, join, parent


class JobEventPublisher:
    """Sends events, spools those that do not leave, flushes the spool after one did."""

    def __init__(self, sink: EventSink, spools: list[Spool], data_folder: str) -> None:
        self._sink = sink
        self._spools = spools
        self._data_folder = data_folder

    def publish(self, event: JsonObject, *, hurried: bool = False) -> bool:
        """Send one event; False when it had to be spooled. Never raises.

        In a hurry (the platform is about to kill the process) it is spooled first and sent then.
        """
        try:
            message = self._message(event)
        except Exception as error:  # noqa: BLE001 - an event must not break the run it reports
            log("event_unpublishable", level=40, failed=error)
            return False
        spooled = self._keep(message) if hurried else None
        try:
            self._sink.send(message)
        except Exception as error:  # noqa: BLE001 - the edge: whatever happens, the event is kept
            kept = spooled or self._keep(message)
            log(
                "event_spooled",
                level=30,
                event_id=message.event_id,
                reason=str(error),
                spool=kept and kept[1],
            )
            return False
        if spooled:
            spooled[0].remove(spooled[1])
        log("event_published", event_id=message.event_id, event_type=event["event_type"])
        return True

    def flush(self) -> None:
        """Send what earlier runs could not; never raises."""
        for spool in self._spools:
            try:
                sent = spool.flush(self._sink)
            except Exception as error:  # noqa: BLE001 - the next run tries again
                log("spool_kept", level=30, spool=spool.folder, reason=str(error))
            else:
                if sent:
                    log("spool_flushed", spool=spool.folder, events=sent)

    def _message(self, event: JsonObject) -> Message:
        body = canonical_json(event)
        if needs_claim_check(body):
            uri = join(self._claims_folder(str(event["environment"])), f"{event['event_id']}.json")
            open_store(uri).write(uri, body)
            body = canonical_json(claim_check_message(event, uri, body))
        return Message(str(event["event_id"]), body.decode(), attributes_of(event), subject_of(event))

    def _claims_folder(self, environment: str) -> str:
        """Readers fetch from the environment's bucket only, or locally from a folder of its name."""
        bucket = f"dwh-{environment}-data"
        inside = is_s3(self._data_folder) or bucket in self._data_folder.split("/")
        return join(self._data_folder, "_claims") if inside else join(self._data_folder, bucket, "_claims")

    def _keep(self, message: Message) -> tuple[Spool, str] | None:
        for spool in self._spools:
            try:
                return spool, spool.put(message)
            except Exception as error:  # noqa: BLE001 - the next spool may be reachable
                log("spool_unreachable", level=30, spool=spool.folder, reason=str(error))
        return None


def open_publisher(
    config: PublisherConfig,
    context: ExecutionContext,
    dataset: str,
    environ: Mapping[str, str] = os.environ,
) -> JobEventPublisher:
    """The publisher of one run: the sink of its configuration, a spool beside the data, one on this disk."""
    data_folder = data_folder_of(dataset)
    disk = Path(tempfile.gettempdir()) / "dwh-spool"
    folders = [config.spool or join(data_folder, "_spool"), disk.as_uri()]
    spools = [Spool(join(as_uri(folder), context.environment)) for folder in folders]
    return JobEventPublisher(_sink(config, context, data_folder, environ), spools, data_folder)


def data_folder_of(dataset: str) -> str:
    """Where everything that is no dataset lies: the bucket, or the folder that holds the dataset."""
    if is_s3(dataset):
        return f"s3://{bucket_and_key(dataset)[0]}"
    return parent(dataset) or Path(tempfile.gettempdir()).as_uri()


def _sink(
    config: PublisherConfig, context: ExecutionContext, data_folder: str, environ: Mapping[str, str]
) -> EventSink:
    topic_arn = config.topic_arn or environ.get("DWH_JOB_EVENTS_TOPIC_ARN")
    kind = config.kind or (PublisherKind.SNS if topic_arn else PublisherKind.NOOP)
    if kind is PublisherKind.FILE:
        return FileSink(as_uri(config.path or join(data_folder, "_events")))
    if kind is PublisherKind.NOOP:
        return NoopSink()
    if not topic_arn:
        raise ConfigRefusedError([("publisher.topic_arn", "SNS needs it, or DWH_JOB_EVENTS_TOPIC_ARN")])
    return SnsSink(topic_arn, context.region)
