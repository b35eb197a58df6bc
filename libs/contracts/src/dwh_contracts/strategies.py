"""Hypothesis strategies for tests; apart from `testing`, which needs no hypothesis."""

from hypothesis import strategies as st

from dwh_contracts.canonical import JsonObject, JsonValue
from dwh_contracts.testing import a_job_event, a_job_started, an_approval_decision

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}", fullmatch=True)
run_ids = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/"), min_size=1)


def json_values() -> st.SearchStrategy[JsonValue]:
    """Any JSON value, a few levels deep."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    return st.recursive(
        scalars | texts, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
    )


def job_events() -> st.SearchStrategy[JsonObject]:
    """`job_started` and consistent `job_completed` bodies of few runs, so that they meet."""
    run = {"job_run_id": st.sampled_from(["run-1", "run-2"]), "attempt": st.integers(1, 3)}
    completed = st.builds(
        a_job_event, quality_status=st.sampled_from(["GREEN", "YELLOW", "RED"]), **run
    ) | st.builds(a_job_event, status=st.just("FAILED"), **run)
    return completed | st.builds(a_job_started, **run)


def approval_sets() -> st.SearchStrategy[list[JsonObject]]:
    """Decisions of several people about one run."""
    decision = st.builds(
        an_approval_decision,
        decision=st.sampled_from(["APPROVED", "REJECTED"]),
        decided_by=st.sampled_from(["a@example.com", "b@example.com", "c@example.com"]),
    )
    return st.lists(decision, min_size=1, max_size=5)
