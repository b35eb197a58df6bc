"""Events of every form that there was, brought to the one of today."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from dwh_contracts.parse import parse_event
from dwh_contracts.strategies import json_values
from dwh_contracts.upcast import upcast
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parent / "golden"
_NAMES = st.sampled_from(
    ["event_type", "artifacts", "quality", "metrics", "error", "timestamp", "environment"]
)


def golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())


def parsed(body):
    now = datetime.fromisoformat(golden("job_started")["timestamp"]) + timedelta(hours=1)
    return parse_event(json.dumps(body).encode(), environment="dev", now=now)


def original(name):
    """The event as publishers sent it before there were versions, attempts and environments."""
    body = golden(name)
    for field in ("schema_version", "attempt", "environment", "event_id"):
        del body[field]
    return body


@pytest.mark.parametrize("name", ["job_started", "job_completed_green", "job_completed_red"])
def test_a_job_event_of_the_original_form_is_the_one_of_today(name):
    event, today = parsed(original(name)), parsed(golden(name))
    assert (event.event_id, event.content_hash) == (today.event_id, today.content_hash)


@pytest.mark.parametrize("name", ["approval_approved", "approval_rejected"])
def test_a_decision_of_the_original_form_came_by_the_topic_and_is_not_verified(name):
    body = original(name)
    for field in ("channel", "decided_by_verified", "principal"):
        del body[field]
    event = parsed(body)
    assert (event.model.channel, event.model.decided_by_verified) == ("topic", False)
    assert (event.attempt, event.environment) == (1, "dev")
    assert event.event_id == parsed(golden(name)).event_id


@pytest.mark.parametrize("name", ["job_started", "job_completed_green", "approval_approved"])
def test_a_higher_minor_version_is_read_with_what_it_adds(name):
    event = parsed(golden(name) | {"schema_version": "1.7", "added_since": {"x": [1]}})
    assert event.body["added_since"] == {"x": [1]}
    assert event.event_id == golden(name)["event_id"]


@given(st.dictionaries(_NAMES | st.text(), json_values()))
def test_anything_is_brought_to_today_once_and_stays_there(body):
    once = upcast(body, environment="dev")
    assert upcast(once, environment="prod") == once
