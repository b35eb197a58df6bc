"""Figures and times as people read them."""

import pytest
from dwh_approvals.show import left, moment, number, share
from dwh_contracts.times import parse_time

NOW = parse_time("2026-11-23T08:00:00Z")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-23T08:01:48.250000Z", "2026-11-23 08:01:48 UTC"),
        ("2026-11-23T09:01:48+01:00", "2026-11-23 08:01:48 UTC"),
        (None, "-"),
        ("<b>soon</b>", "<b>soon</b>"),
    ],
)
def test_a_moment_is_utc_and_what_is_none_is_shown_as_it_is(text, shown):
    assert moment(text) == shown


@pytest.mark.parametrize(
    ("until", "shown"),
    [
        ("2026-11-26T10:00:00Z", "3 d 2 h"),
        ("2026-11-23T10:05:00Z", "2 h 5 min"),
        ("2026-11-23T08:05:07Z", "5 min 7 s"),
        ("2026-11-23T08:00:00Z", "over"),
        (None, "-"),
    ],
)
def test_the_time_left_is_told_by_its_two_largest_units(until, shown):
    assert left(until, NOW) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (120000, "120,000"),
        (0.115, "0.115"),
        (0.1150001, "0.115"),
        (2.0, "2"),
        (None, "-"),
        ("x", "x"),
        (True, "True"),
    ],
)
def test_a_figure_is_grouped_by_thousands(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(13800, 120000, "11.5 %"), (1, 0, "-"), (None, 3, "-"), (3, None, "-")],
)
def test_a_share_needs_a_whole(part, whole, shown):
    assert share(part, whole) == shown
