"""Publishing can neither fail nor lose a run: what does not leave is spooled, and sent once later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dwh_jobs.generic_entry import DONE, FAILED, execute
from dwh_jobs.publisher import JobEventPublisher, open_publisher
from dwh_jobs.publisher_config import PublisherConfig
from dwh_jobs.sinks import Message
from dwh_jobs.spool import Spool
from lab import Lab, a_context


class Topic:
    """A topic that can be away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.received: list[Message] = []

    def send(self, message: Message) -> None:
        if self.away:
            raise ConnectionError("SNS is away")
        self.received.append(message)


@pytest.fixture(autouse=True)
def _signals_untouched(monkeypatch: Any) -> None:
    monkeypatch.setattr("dwh_jobs.termination.signal.signal", lambda *_: None)


def publisher(topic: Topic, folder: Path) -> JobEventPublisher:
    return JobEventPublisher(topic, [Spool((folder / "_spool").as_uri())], folder.as_uri())


def test_a_run_without_sns_ends_well_and_the_next_one_sends_its_events_once(lab: Lab) -> None:
    lab.sample(rows=10)
    away, back = Topic(away=True), Topic()
    assert execute(lab.job(job_run_id="one"), publisher(away, lab.folder)) == (DONE, False)
    assert len(list((lab.folder / "_spool").glob("*.json"))) == 2
    assert execute(lab.job(job_run_id="two"), publisher(back, lab.folder)) == (DONE, False)
    assert execute(lab.job(job_run_id="three"), publisher(back, lab.folder)) == (DONE, False)
    ids = [message.event_id for message in back.received]
    assert len(ids) == len(set(ids)) == 6
    assert not list((lab.folder / "_spool").glob("*.json"))


def test_a_failed_run_publishes_and_exits_with_one(lab: Lab) -> None:
    topic = Topic()
    assert execute(lab.job(), publisher(topic, lab.folder)) == (FAILED, False)
    started, completed = topic.received
    assert started.attributes["event_type"] == "job_started"
    assert (completed.attributes["status"], completed.attributes["failure_type"]) == (
        "FAILED",
        "CATASTROPHIC",
    )
    assert completed.subject == "Job Event: transform_images - FAILED"


def test_in_a_hurry_the_event_is_spooled_before_it_is_sent(tmp_path: Path) -> None:
    topic = Topic()
    seen: list[int] = []
    topic.send = lambda _message: seen.append(len(list((tmp_path / "_spool").glob("*.json"))))  # type: ignore[method-assign]
    event = {"event_id": "e" * 32, "event_type": "job_completed", "environment": "local"}
    assert publisher(topic, tmp_path).publish(event, hurried=True)
    assert seen == [1]
    assert not list((tmp_path / "_spool").glob("*.json"))


def test_an_event_too_large_for_the_topic_travels_as_a_claim_check(tmp_path: Path) -> None:
    topic = Topic()
    event: dict[str, Any] = {"event_id": "e" * 32, "event_type": "job_completed", "environment": "local"}
    assert publisher(topic, tmp_path).publish(event | {"filler": "x" * 300_000})
    (message,) = topic.received
    pointer = json.loads(message.body)["claim_check"]
    assert len(message.body) < 10_000
    assert "/dwh-local-data/" in pointer["uri"]
    assert Path(pointer["uri"].removeprefix("file://")).stat().st_size == pointer["bytes"]


def test_two_runs_of_different_datasets_share_the_spool(tmp_path: Path) -> None:
    folders = {
        open_publisher(PublisherConfig(kind="NOOP"), a_context(), f"{tmp_path.as_uri()}/{name}")
        ._spools[0]
        .folder
        for name in ("images", "filtered")
    }
    assert folders == {f"{tmp_path.as_uri()}/_spool/local"}
