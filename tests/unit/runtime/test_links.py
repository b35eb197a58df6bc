from dataclasses import replace
from datetime import UTC, datetime

import pytest
from dwh_contracts.clock import ManualClock
from dwh_runtime.links import LinkContent, LinkExpired, LinkForged, LinkSigner, parse_keys

OLD, NEW = "o" * 32, "n" * 32
CONTENT = LinkContent(
    environment="local",
    job_name="transform_images",
    job_run_id="run-1",
    attempt=1,
    source_event_id="e" * 32,
    artifacts_manifest_sha256=None,
    nonce="",
)


@pytest.fixture
def clock():
    return ManualClock(datetime(2026, 11, 1, tzinfo=UTC))


def test_a_link_carries_what_its_reader_saw(clock):
    signer = LinkSigner([NEW], clock)
    assert signer.verify(signer.sign(CONTENT)) == CONTENT


def test_the_newest_key_signs_and_older_ones_still_verify(clock):
    old, both = LinkSigner([OLD], clock), LinkSigner([OLD, NEW], clock)
    assert both.verify(old.sign(CONTENT)) == CONTENT
    with pytest.raises(LinkForged):
        old.verify(both.sign(CONTENT))


def test_a_link_is_good_for_72_hours(clock):
    signer = LinkSigner([NEW], clock)
    token = signer.sign(CONTENT)
    clock.advance(72 * 3600)
    assert signer.verify(token) == CONTENT
    clock.advance(1)
    with pytest.raises(LinkExpired):
        signer.verify(token)


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: "x" + t, lambda _: ""]
)
def test_a_changed_token_is_forged(clock, change):
    signer = LinkSigner([NEW], clock)
    with pytest.raises(LinkForged):
        signer.verify(change(signer.sign(CONTENT)))


def test_a_nonce_is_the_same_at_every_attempt_and_differs_by_delivery(clock):
    signer = LinkSigner([NEW], clock)
    assert signer.nonce("d1") == signer.nonce("d1") != signer.nonce("d2")
    assert signer.sign(replace(CONTENT, nonce=signer.nonce("d1"))) != signer.sign(CONTENT)


@pytest.mark.parametrize("text", [f"{OLD},{NEW}", f'["{OLD}", "{NEW}"]', f" {OLD} , {NEW}"])
def test_keys_are_a_list_in_either_form(text):
    assert parse_keys(text) == (OLD, NEW)


@pytest.mark.parametrize("text", ["", "short", f"{OLD},", "[]", "[1]"])
def test_short_or_missing_keys_are_refused(text):
    with pytest.raises(ValueError, match="32 bytes"):
        parse_keys(text)
