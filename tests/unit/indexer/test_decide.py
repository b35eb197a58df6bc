import pytest
from dwh_contracts.quarantine import QuarantineReason
from dwh_eventstore import Appended
from dwh_indexer.decide import Answer, Done, Quarantine, TryAgain, decide


def test_every_answer_of_the_store_has_a_rule():
    assert {answer.value for answer in Answer} == {outcome.value for outcome in Appended}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [(Answer.STORED, Done()), (Answer.DUPLICATE, Done(duplicate=True))],
)
def test_what_is_durable_is_done(answer, verdict):
    assert decide(answer) == verdict


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer.CONFLICT, QuarantineReason.CONFLICTING_CONTENT),
        (Answer.REJECTED, QuarantineReason.UNMAPPABLE),
    ],
)
def test_what_can_never_be_stored_is_quarantined_with_its_reason(answer, reason):
    verdict = decide(answer)
    assert isinstance(verdict, Quarantine)
    assert verdict.reason is reason


@pytest.mark.parametrize(("answer", "overloaded"), [(Answer.MISSING_INDEX, False), (Answer.BUSY, True)])
def test_what_may_be_stored_later_stays_in_the_queue(answer, overloaded):
    verdict = decide(answer)
    assert isinstance(verdict, TryAgain)
    assert verdict.overloaded is overloaded
