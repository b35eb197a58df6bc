import json
from datetime import UTC, datetime

import pytest
from dwh_contracts.arrays import to_array
from dwh_contracts.canonical import canonical_json, content_hash
from dwh_contracts.event_ids import expected_event_id
from dwh_contracts.ids import digest
from dwh_contracts.names import slug
from dwh_contracts.parse import Event, event_from_body, parse_event
from dwh_contracts.quarantine import Refused
from dwh_contracts.strategies import approval_sets, job_events, json_values, names, run_ids
from dwh_contracts.testing import a_job_event, an_approval_decision
from dwh_contracts.texts import cut
from hypothesis import example, given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
OBJECTS = st.dictionaries(TEXT, json_values(), max_size=5)


def outcome(raw):
    try:
        return parse_event(raw, environment="dev", now=NOW)
    except Refused as refused:
        return refused


def paths(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


def replaced(value, path, new):
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


PATHS = [path for path in paths(a_job_event()) if path]


@given(st.binary())
@example(b"[" * 100_000)
@example(b'{"a":' * 65 + b"1" + b"}" * 65)
@example(b'{"a":1e400}')
@example(b'{"a":' + b"9" * 5_000 + b"}")
@example(b'{"a":' + b"9" * 300 + b"e99}")
@example(b'{"a":"\\ud800"}')
@example(b'{"specversion":"1.0","data":{"specversion":"1.0"}}')
def test_any_bytes_are_an_event_or_refused(raw):
    assert isinstance(outcome(raw), Event | Refused)


@given(OBJECTS)
def test_any_object_is_an_event_or_refused(value):
    assert isinstance(outcome(json.dumps(value).encode()), Event | Refused)


@given(st.sampled_from(PATHS), json_values() | st.text(), st.booleans())
@example(("job_run_id",), "a\x1fb", False)
@example(("environment",), "\ud800", False)
@example(("attempt",), 10**400, False)
@example(("timestamp",), "0001-01-01T00:00:00+23:00", False)
@example(("timestamp",), "2026-13-01T00:00:00.000000Z", True)
def test_any_single_wrong_value_is_an_event_or_refused(path, value, legacy):
    body = replaced(a_job_event(), path, value)
    if legacy:
        body = {name: inner for name, inner in body.items() if name != "schema_version"}
    assert isinstance(outcome(json.dumps(body).encode()), Event | Refused)


@pytest.mark.parametrize("number", [b"1e400", b"-1E+400", b"9" * 400, b"9" * 300 + b"e99", b"0.1e0400"])
def test_numbers_beyond_doubles_are_no_json(number):
    raw = canonical_json(a_job_event()).replace(b'"payload":{}', b'"payload":{"a":[' + number + b"]}")
    assert outcome(raw).reason == "not-json"


def test_a_separator_in_a_part_of_an_id_is_a_bad_name():
    body = an_approval_decision(decided_by="a\x1fb", event_id=None)
    assert outcome(canonical_json(body)).reason == "bad-name"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x1f")), min_size=1))
def test_ids_depend_on_how_parts_are_divided(parts):
    assert digest(*parts) == digest(*parts)
    assert digest(*parts) != digest(*parts, "")
    with pytest.raises(ValueError, match="U\\+001F"):
        digest("\x1f".join([*parts, ""]))


@given(OBJECTS, st.text(st.characters(exclude_categories=["Cs"])), st.randoms())
def test_content_hash_knows_neither_key_order_nor_id(event, event_id, random):
    items = [item for item in event.items() if item[0] != "event_id"]
    random.shuffle(items)
    assert content_hash({**dict(items), "event_id": event_id}) == content_hash(event)


@given(st.dictionaries(TEXT, st.integers() | st.dictionaries(st.just("b"), st.integers())))
def test_no_key_is_lost_by_the_array_rule(mapping):
    array = to_array(mapping, "name")
    assert [item["name"] for item in array] == sorted(mapping)


def test_the_array_rule_refuses_one_name_for_key_and_value():
    with pytest.raises(ValueError, match="collides"):
        to_array({"a": 1}, "name", "name")


@given(names, names)
@example("a_b", "a-b")
@example("A", "a")
@example("a.b", "a_b")
@example("a" * 100, "a" * 101)
def test_two_jobs_never_share_an_index(one, other):
    assert (slug(one) == slug(other)) is (one == other)


@given(names)
@example("v0003")
@example("common")
def test_a_slug_is_part_of_an_index_name(name):
    assert set(slug(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    assert len(slug(name)) <= 107


@given(names, run_ids.filter(lambda text: len(text) <= 250), st.integers(1, 50))
def test_an_event_without_id_gets_the_computed_one(job_name, run_id, attempt):
    body = a_job_event(job_name=job_name, job_run_id=run_id, attempt=attempt)
    bare = {name: value for name, value in body.items() if name != "event_id"}
    assert event_from_body(bare).event_id == expected_event_id(bare) == body["event_id"]


@given(job_events())
def test_built_job_events_are_accepted(body):
    assert outcome(canonical_json(body)).body == body


@given(approval_sets())
def test_built_decisions_are_accepted(bodies):
    assert all(outcome(canonical_json(body)).body == body for body in bodies)


@given(st.text(max_size=300), st.integers(40, 200))
def test_a_cut_text_fits_and_says_what_is_gone(text, longest):
    short = cut(text, longest)
    assert len(short) <= longest
    assert short == text or short.endswith(f"…[cut {len(text) - (longest - 40)}]")
