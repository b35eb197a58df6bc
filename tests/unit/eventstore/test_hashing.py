"""The faster hash is the same hash."""

import pytest
from dwh_contracts import canonical
from dwh_contracts.testing import a_job_event
from dwh_eventstore.hashing import content_hash
from hypothesis import given
from hypothesis import strategies as st

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_JSON = st.recursive(
    _SCALARS | _TEXTS, lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner), max_leaves=12
)


@given(st.dictionaries(_TEXTS, _JSON))
def test_it_is_that_of_the_contracts_for_everything_json_can_hold(event):
    assert content_hash(event) == canonical.content_hash(event)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_it_is_that_of_the_contracts_for_every_number(number):
    event = {"value": number, "values": [number], "more": [1, number]}
    assert content_hash(event) == canonical.content_hash(event)


@pytest.mark.parametrize("value", [1e16, 1e15, 123456789012345.6, 1e-4, 9.9e-5, 1.5e-5, 1e-7, -1e-5, 2**70])
def test_numbers_at_the_borders_of_the_two_ways_to_write_them(value):
    assert content_hash({"value": value}) == canonical.content_hash({"value": value})


def test_it_leaves_the_id_out():
    assert content_hash(a_job_event()) == content_hash(a_job_event() | {"event_id": "0" * 32})
