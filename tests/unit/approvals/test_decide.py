"""The rules, as tables; every branch of `decide`."""

from dataclasses import replace
from datetime import timedelta

import pytest
from dwh_approvals.decide import (
    Final,
    Kind,
    Person,
    Proposal,
    Refusal,
    Situation,
    asks_for_approval,
    clean_reason,
    expires_at,
    is_approver,
    is_requester,
    judge,
)
from dwh_approvals.records import Head, Vote
from dwh_contracts.approvals import Decision
from dwh_contracts.parse import event_from_body
from dwh_contracts.testing import a_job_event
from dwh_contracts.times import parse_time
from dwh_contracts.workflow import Approval

NOW = parse_time("2026-11-23T08:02:00Z")
MANIFEST = "a" * 64
OTHER = "b" * 64
APPROVERS = frozenset({"dwh-approvers"})


def person(name="ann", **over):
    given = {"groups": APPROVERS, "names": frozenset({name})} | over
    return Person(principal=f"local:{name}", decided_by=name, **given)


def proposal(decision="APPROVED", by=None, **over):
    by = by or person()
    return Proposal(f"{by.decided_by}-{decision}", Decision(decision), by, **over)


def head(*votes, **over):
    return Head.model_validate(
        {
            "environment": "local",
            "job_name": "transform_images",
            "job_run_id": "run-1",
            "attempt": 1,
            "created_at": NOW,
            "opened_at": NOW,
            "expires_at": NOW + timedelta(hours=72),
            "required": 1,
            "policy": {},
            "config_version": "c1",
            "source_event_id": "source",
            "source_timestamp": NOW,
            "artifacts_manifest_sha256": MANIFEST,
            "requester": "airflow",
            "votes": [
                Vote(
                    voter=f"local:{name}", at=NOW, event={"event_id": f"{name}-APPROVED", "decided_by": name}
                )
                for name in votes
            ],
            **over,
        }
    )


def ruled(given, opened=None, final=None, *, known=True, unverified=True, **policy):
    situation = Situation(known, opened, final)
    return judge(given, situation, Approval(**policy), unverified_allowed=unverified)


FINALS = {
    "PENDING": None,
    "APPROVED": Final("bob-APPROVED", "APPROVED"),
    "REJECTED": Final("bob-REJECTED", "REJECTED"),
    "EXPIRED": Final("clock", "EXPIRED"),
}
TABLE = {
    ("APPROVED", "ann"): ("accept", "superfluous", "conflict", "conflict"),
    ("APPROVED", "bob"): ("accept", "repeat", "conflict", "conflict"),
    ("REJECTED", "ann"): ("accept", "conflict", "superfluous", "superfluous"),
    ("REJECTED", "bob"): ("accept", "conflict", "repeat", "superfluous"),
}


@pytest.mark.parametrize(
    ("decision", "by", "state", "kind"),
    [
        (decision, by, state, kind)
        for (decision, by), kinds in TABLE.items()
        for state, kind in zip(FINALS, kinds, strict=True)
    ],
)
def test_a_valid_decision_meets_the_state_of_its_approval(decision, by, state, kind):
    verdict = ruled(proposal(decision, person(by)), head(), FINALS[state])
    assert verdict.kind is Kind(kind)
    assert verdict.refusal is None


REFUSED = {
    "no approver": (proposal(by=person(groups=frozenset())), {}, Refusal.NOT_AN_APPROVER),
    "another workflow's approver": (proposal(), {"approvers": ["group:others"]}, Refusal.NOT_AN_APPROVER),
    "the requester": (proposal(by=person("AirFlow")), {}, Refusal.REQUESTER),
    "the requester by another name": (
        proposal(by=person("ann", names=frozenset({"ann", "Airflow"}))),
        {},
        Refusal.REQUESTER,
    ),
    "another event": (proposal(source_event_id="older"), {}, Refusal.STALE_VIEW),
    "other data": (proposal(artifacts_manifest_sha256=OTHER), {}, Refusal.STALE_VIEW),
}


@pytest.mark.parametrize("state", FINALS)
@pytest.mark.parametrize(("given", "policy", "refusal"), REFUSED.values(), ids=REFUSED.keys())
def test_an_invalid_decision_is_refused_in_every_state(given, policy, refusal, state):
    verdict = ruled(given, head(), FINALS[state], **policy)
    assert (verdict.kind, verdict.refusal) == (Kind.REFUSED, refusal)
    assert verdict.why


def test_what_the_person_saw_may_be_said_and_then_counts():
    seen = proposal(source_event_id="source", artifacts_manifest_sha256=MANIFEST)
    assert ruled(seen, head()).kind is Kind.ACCEPT
    assert ruled(replace(seen, source_event_id=head().run_document_id), head()).kind is Kind.ACCEPT


def test_the_requester_may_decide_where_four_eyes_are_not_asked():
    assert ruled(proposal(by=person("airflow")), head(), four_eyes=False).kind is Kind.ACCEPT


def test_nobody_is_the_requester_of_a_run_that_names_none():
    assert not is_requester(person("airflow"), head(requester=None))


@pytest.mark.parametrize(
    ("named", "who", "may"),
    [
        ("group:dwh-approvers", person(), True),
        ("group:dwh-approvers", person(groups=frozenset()), False),
        ("user:Ann@Example.com", person("ann@example.COM", groups=frozenset()), True),
        ("user:ann", person("bob", groups=frozenset()), False),
        ("user:dwh-approvers", person(), False),
    ],
)
def test_an_approver_is_named_by_group_or_by_name(named, who, may):
    assert is_approver(who, Approval(approvers=[named])) is may


@pytest.mark.parametrize(
    ("unverified", "policy", "kind"),
    [(True, {}, "accept"), (False, {}, "refused"), (False, {"accept_unverified": True}, "accept")],
)
def test_a_message_that_nobody_vouches_for_counts_only_where_that_is_allowed(unverified, policy, kind):
    given = proposal(by=person(verified=False))
    assert ruled(given, head(), unverified=unverified, **policy).kind is Kind(kind)


def test_an_unknown_run_is_neither_refused_nor_accepted():
    assert ruled(proposal(), known=False).kind is Kind.UNKNOWN


def test_a_run_that_asks_nobody_takes_no_decision():
    verdict = ruled(proposal(), None, known=True)
    assert (verdict.kind, verdict.refusal) == (Kind.REFUSED, Refusal.NOT_PENDING)


def test_a_run_without_manifest_cannot_be_approved_where_one_is_required():
    without = head(artifacts_manifest_sha256=None)
    assert ruled(proposal(), without, require_manifest=True).refusal is Refusal.NOT_PENDING
    assert ruled(proposal("REJECTED"), without, require_manifest=True).kind is Kind.ACCEPT
    assert ruled(proposal(), without).kind is Kind.ACCEPT
    assert ruled(proposal(), head(), require_manifest=True).kind is Kind.ACCEPT


@pytest.mark.parametrize(
    ("votes", "decision", "by", "kind", "voters"),
    [
        ((), "APPROVED", "ann", "vote", ()),
        (("bob",), "APPROVED", "ann", "vote", ()),
        (("bob", "carl"), "APPROVED", "ann", "accept", ("bob", "carl", "ann")),
        (("bob", "ann"), "APPROVED", "ann", "voted", ()),
        (("bob",), "REJECTED", "ann", "accept", ("ann",)),
        (("bob",), "REJECTED", "bob", "accept", ("bob",)),
    ],
)
def test_of_three_needed_votes_the_third_decides_and_one_no_ends_it(votes, decision, by, kind, voters):
    verdict = ruled(proposal(decision, person(by)), head(*votes, required=3))
    assert (verdict.kind, tuple(verdict.voters)) == (Kind(kind), voters)


def test_one_person_with_two_tokens_has_one_vote():
    same = person("ann", names=frozenset({"ann"}))
    other_token = Person("oidc:x#ann", "ann", same.names, same.groups)
    assert ruled(proposal(by=other_token), head("ann", required=3)).kind is Kind.VOTED


@pytest.mark.parametrize(
    ("over", "asks"),
    [
        ({"quality_status": "RED"}, True),
        ({"quality_status": "GREEN"}, False),
        ({"status": "FAILED"}, False),
        ({"quality_status": "RED", "artifacts_available": False}, False),
        ({"quality_status": "RED", "failure_type": None}, False),
    ],
)
def test_only_a_red_run_with_artifacts_asks(over, asks):
    assert asks_for_approval(event_from_body(a_job_event(**over)).model) is asks


def test_a_late_message_leaves_a_quarter_of_the_term():
    policy = Approval(expires_after_hours=72)
    assert expires_at(NOW, NOW, policy) == NOW + timedelta(hours=72)
    assert expires_at(NOW, NOW + timedelta(hours=100), policy) == NOW + timedelta(hours=118)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("  0123456789  ", "0123456789"),
        ("012345678", None),
        ("x" * 2000, "x" * 2000),
        ("x" * 2001, None),
        ("\x00\x07" * 20, None),
        ("one\ntwo\tthree", "one\ntwo\tthree"),
        ("e\u0301" * 10, "\u00e9" * 10),
    ],
)
def test_a_reason_is_trimmed_normalised_and_without_control_characters(text, kept):
    assert clean_reason(text) == kept


def test_a_share_of_the_term_is_due_in_proportion():
    assert head().due(50) == NOW + timedelta(hours=36)
