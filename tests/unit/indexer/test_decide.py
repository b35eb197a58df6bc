import pytest
from dwh_contracts.quarantine import QuarantineReason
from dwh_eventstore import Appended
from dwh_indexer.decide import Answer, Fate, Fold, Verdict, decide


def test_every_answer_of_the_store_has_a_rule():
    assert {answer.value for answer in Answer} == {outcome.value for outcome in Appended}


@pytest.mark.parametrize(
    ("event_type", "answer", "verdict"),
    [
        ("job_completed", Answer.STORED, Verdict(Fold.THIS, Fate.DONE)),
        ("job_completed", Answer.DUPLICATE, Verdict(Fold.THIS, Fate.DUPLICATE)),
        ("dag_run_created", Answer.STORED, Verdict(Fold.THIS, Fate.DONE)),
        ("dag_run_created", Answer.DUPLICATE, Verdict(Fold.STORED_COPY, Fate.DUPLICATE)),
        ("dag_run_finished", Answer.DUPLICATE, Verdict(Fold.STORED_COPY, Fate.DUPLICATE)),
        ("trigger_failed", Answer.DUPLICATE, Verdict(Fold.STORED_COPY, Fate.DUPLICATE)),
        (
            "job_completed",
            Answer.CONFLICT,
            Verdict(Fold.NONE, Fate.QUARANTINE, QuarantineReason.CONFLICTING_CONTENT),
        ),
        (
            "job_completed",
            Answer.REJECTED,
            Verdict(Fold.NONE, Fate.QUARANTINE, QuarantineReason.UNMAPPABLE),
        ),
        ("job_completed", Answer.MISSING_INDEX, Verdict(Fold.NONE, Fate.RETRY)),
        ("job_completed", Answer.BUSY, Verdict(Fold.NONE, Fate.RETRY)),
    ],
)
def test_what_the_store_says_decides_fold_and_fate(event_type, answer, verdict):
    assert decide(event_type, answer) == verdict
