"""The severity table, and what signals do to an incident in whatever order they come."""

from datetime import UTC, datetime, timedelta
from itertools import permutations, product

import pytest
from dwh_alerts.decide import RULES, Condition, Signal, Step, apply, signals_of_decision, signals_of_run
from dwh_alerts.incident import Cause, Head, Incident, Outcome, State, Transition
from dwh_alerts.routes import Owned, Routes, Severity
from dwh_contracts import ids
from dwh_contracts.events import JobCompleted
from dwh_contracts.parse import Event, event_from_body
from dwh_contracts.testing import a_job_event, an_approval_decision
from dwh_contracts.times import format_time
from hypothesis import given, settings
from hypothesis import strategies as st

T0 = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ROUTES = Routes(console_url="https://console.example.com")


def finished(
    kind: str, run_id: str = "run-1", *, at: float = 0, window: float | None = 0, attempt: int = 1
) -> Event:
    """A finished run, `at` minutes after T0, whose data end `window` minutes after T0."""
    said: dict[str, object] = {"quality_status": kind}
    if kind == "FAILED":
        said = {"status": "FAILED"}
    if kind == "UNCHECKED":
        said = {"evaluated": False}
    body = a_job_event(
        environment="dev",
        job_name="transform_images",
        job_run_id=run_id,
        attempt=attempt,
        timestamp=format_time(T0 + timedelta(minutes=at)),
        **said,
    )
    metrics = dict(body["metrics"])
    metrics["end_date"] = None if window is None else format_time(T0 + timedelta(minutes=window))
    metrics["start_date"] = None if window is None else format_time(T0 + timedelta(minutes=window - 15))
    return event_from_body({**body, "metrics": metrics})


def signals(event: Event) -> tuple[Signal, ...]:
    assert isinstance(event.model, JobCompleted)
    return signals_of_run(event, event.model)


def decision(
    said: str = "APPROVED", run_id: str = "run-1", *, at: float = 30, attempt: int = 1
) -> tuple[Signal, ...]:
    body = an_approval_decision(
        environment="dev",
        job_name="transform_images",
        job_run_id=run_id,
        attempt=attempt,
        decision=said,
        timestamp=format_time(T0 + timedelta(minutes=at)),
    )
    return signals_of_decision(event_from_body(body))


def told(*groups: tuple[Signal, ...], now: datetime = T0, every: timedelta = timedelta(0)) -> dict[str, Head]:
    """Apply signals in this order, one group each `every`, and return the heads by family."""
    heads: dict[str, Head] = {}
    for group in groups:
        for signal in group:
            head = heads.get(signal.family, Head(incident_key=signal.incident_key))
            heads[signal.family] = apply(head, signal, now=now, routes=ROUTES).head
        now += every
    return heads


def quality(*groups: tuple[Signal, ...], **how: object) -> Incident:
    incident = told(*groups, **how)["quality"].incident  # type: ignore[arg-type]
    assert incident is not None
    return incident


def step(head: Head, event: Event, *, now: datetime = T0, family: str = "quality") -> Step:
    [signal] = [signal for signal in signals(event) if signal.family == family]
    return apply(head, signal, now=now, routes=ROUTES)


def new() -> Head:
    return Head(incident_key="dev/transform_images/quality")


# --- the table ----------------------------------------------------------------------------------------

TABLE = """
| rule | raised when | severity | family | cleared by | decided |
| job_failed | status FAILED or failure_type CATASTROPHIC | critical | failed | not FAILED | |
| quality_red | evaluated, quality.status RED | critical | quality | evaluated, quality.status GREEN | + |
| quality_yellow | evaluated, quality.status YELLOW | warning | quality | evaluated | |
| quality_missing | SUCCESS, quality.evaluated false | info | quality_missing | evaluated | |
"""


def test_the_rules_are_those_of_the_severity_table() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TABLE.strip().splitlines()[1:]]
    assert rows == [
        [
            rule.name,
            rule.raised_when.value,
            rule.severity.value,
            rule.family,
            rule.cleared_when.value,
            "+" if rule.closed_by_decision else "",
        ]
        for rule in RULES
    ]


@pytest.mark.parametrize(
    ("kind", "raised", "cleared"),
    [
        ("RED", {"quality_red"}, {"job_failed", "quality_yellow", "quality_missing"}),
        ("YELLOW", {"quality_yellow"}, {"job_failed", "quality_yellow", "quality_missing"}),
        ("GREEN", set(), {"job_failed", "quality_red", "quality_yellow", "quality_missing"}),
        ("FAILED", {"job_failed"}, set()),
        ("UNCHECKED", {"quality_missing"}, {"job_failed"}),
    ],
)
def test_each_kind_of_run_raises_and_clears_its_rules(kind: str, raised: set[str], cleared: set[str]) -> None:
    found = signals(finished(kind))
    assert {signal.raised.rule for signal in found if signal.raised} == raised
    assert {rule for signal in found for rule in signal.clears} == cleared


def test_a_failed_run_with_red_inside_raises_job_failed_only() -> None:
    event = finished("FAILED")
    inside = {**event.body, "quality": {"status": "RED", "evaluated": True, "checks": []}}
    found = signals(event_from_body(inside))
    assert [signal.raised.rule for signal in found if signal.raised] == ["job_failed"]


def test_every_condition_of_the_table_is_used() -> None:
    assert {rule.raised_when for rule in RULES} | {rule.cleared_when for rule in RULES} == set(Condition)


def test_only_a_run_that_waits_for_a_person_needs_a_decision() -> None:
    causes = [signal.raised for kind in ("RED", "YELLOW", "FAILED") for signal in signals(finished(kind))]
    assert [cause.needs_decision for cause in causes if cause] == [True, False, False]


# --- one incident -------------------------------------------------------------------------------------


def test_a_red_run_opens_a_critical_incident_under_its_golden_ids() -> None:
    incident = quality(signals(finished("RED", "spark-application-1795420800417")))
    assert incident.incident_key == "dev/transform_images/quality"
    assert incident.incident_id == "fc11f61ca11ac3e0ee6e4d64f39b05e3"
    assert incident.causes[0].alert_id == "07203fc2d11d1d3b75384589cf711ae0"
    assert (incident.state, incident.severity, incident.rev) == (State.OPEN, Severity.CRITICAL, 1)
    assert incident.title == "transform_images: quality RED"
    assert incident.links["run"] == (
        "https://console.example.com/runs/transform_images/spark-application-1795420800417"
    )


def test_a_redelivered_signal_is_a_no_op() -> None:
    once = step(new(), finished("RED"))
    again = step(once.head, finished("RED"), now=T0 + timedelta(hours=3))
    assert again == Step(once.head)


def test_a_copy_that_the_ring_forgot_is_known_by_its_cause() -> None:
    once = step(new(), finished("RED")).head
    again = step(once.model_copy(update={"ring": ()}), finished("RED"))
    assert again.transition is None
    assert again.head.incident == once.incident


@pytest.mark.parametrize(
    ("first", "second", "transition", "sinks"),
    [
        ("YELLOW", "RED", Transition.ESCALATED, ["sns-critical"]),
        ("YELLOW", "YELLOW", Transition.UPDATED, []),
        ("RED", "YELLOW", Transition.UPDATED, []),
        ("RED", "RED", Transition.UPDATED, ["sns-critical"]),
        ("RED", "GREEN", Transition.RESOLVED, ["sns-critical"]),
        ("YELLOW", "GREEN", Transition.RESOLVED, ["sns-warning"]),
    ],
)
def test_what_a_second_run_does_and_who_hears_of_it(
    first: str, second: str, transition: Transition, sinks: list[str]
) -> None:
    opened = step(new(), finished(first))
    then = step(opened.head, finished(second, "run-2", at=15, window=15), now=T0 + timedelta(minutes=15))
    assert opened.transition is Transition.OPENED
    assert then.transition is transition
    assert [delivery.sink for delivery in then.told] == sinks


def test_a_resolve_reaches_every_sink_that_heard_of_the_episode() -> None:
    heads = told(
        signals(finished("YELLOW")),
        signals(finished("RED", "run-2", at=15, window=15)),
        signals(finished("GREEN", "run-3", at=30, window=30)),
    )
    incident = heads["quality"].incident
    assert incident is not None
    assert [(each.rev, each.sink) for each in incident.deliveries] == [
        (1, "sns-warning"),
        (2, "sns-critical"),
        (3, "sns-warning"),
        (3, "sns-critical"),
    ]


def test_the_red_run_takes_the_place_of_the_yellow_one_so_its_decision_resolves() -> None:
    incident = quality(
        signals(finished("YELLOW")),
        signals(finished("RED", "run-2", at=15, window=15)),
        decision(run_id="run-2"),
    )
    assert incident.state is State.RESOLVED
    assert incident.open_causes == ()
    assert incident.severity is Severity.CRITICAL


@pytest.mark.parametrize("said", ["APPROVED", "REJECTED"])
def test_a_decision_resolves_the_run_it_names_and_no_other(said: str) -> None:
    two = (signals(finished("RED")), signals(finished("RED", "run-2", at=15, window=15)))
    incident = quality(*two, decision(said))
    assert incident.state is State.OPEN
    assert [cause.job_run_id for cause in incident.open_causes] == ["run-2"]
    assert quality(*two, decision(said), decision(said, "run-2")).state is State.RESOLVED


def test_a_decision_on_another_attempt_closes_nothing() -> None:
    assert quality(signals(finished("RED", attempt=2)), decision(attempt=1)).state is State.OPEN


def test_a_decision_closes_no_yellow() -> None:
    assert quality(signals(finished("YELLOW")), decision()).state is State.OPEN


@pytest.mark.parametrize(
    ("window", "state"),
    [(-600, State.OPEN), (0, State.RESOLVED), (15, State.RESOLVED), (None, State.RESOLVED)],
)
def test_a_clear_counts_only_if_its_data_reach_as_far(window: float | None, state: State) -> None:
    green = signals(finished("GREEN", "run-2", at=30, window=window))
    assert quality(signals(finished("RED", window=0)), green).state is state


def test_a_window_that_is_no_time_is_not_known() -> None:
    body = finished("RED").body
    metrics = {**body["metrics"], "start_date": "yesterday", "end_date": "latest"}  # type: ignore[dict-item]
    incident = quality(signals(event_from_body({**body, "metrics": metrics})))
    assert (incident.causes[0].window_start, incident.causes[0].window_end) == (None, None)


def test_an_older_clear_closes_nothing() -> None:
    assert (
        quality(signals(finished("RED", at=15)), signals(finished("GREEN", "run-0", at=0))).state
        is State.OPEN
    )


def test_a_newer_backfill_does_not_hide_what_an_older_green_covers() -> None:
    heads = told(
        signals(finished("GREEN", "run-2", at=20, window=15)),
        signals(finished("GREEN", "backfill", at=30, window=-600)),
        signals(finished("RED", "run-1", at=10, window=0)),
    )
    incident = heads["quality"].incident
    assert incident is not None
    assert incident.state is State.RESOLVED
    assert len(heads["quality"].clears["quality_red"]) == 2


def test_a_clear_without_a_cause_makes_a_head_and_no_incident() -> None:
    head = told(signals(finished("GREEN")))["quality"]
    assert head.incident is None
    assert head.clears.keys() == {"quality_red", "quality_yellow"}


@pytest.mark.parametrize(
    "first", [signals(finished("GREEN", "run-2", at=15, window=15)), decision()], ids=["clear", "decision"]
)
def test_a_raise_that_is_already_covered_is_born_closed_and_tells_nobody(first: tuple[Signal, ...]) -> None:
    head = told(first)["quality"]
    born = step(head, finished("RED"))
    assert born.transition is Transition.RESOLVED
    assert born.told == ()
    assert born.head.incident is not None
    assert (born.head.incident.state, born.head.incident.rev) == (State.RESOLVED, 1)


def test_a_cause_born_closed_into_a_resolved_incident_only_updates_it() -> None:
    heads = told(signals(finished("YELLOW")), signals(finished("GREEN", "run-3", at=30, window=30)))
    late = step(heads["quality"], finished("RED", "run-2", at=15, window=15), now=T0 + timedelta(hours=5))
    assert late.transition is Transition.UPDATED
    assert late.told == ()
    assert late.head.incident is not None
    assert (late.head.incident.state, late.head.incident.episode) == (State.RESOLVED, 1)


@pytest.mark.parametrize(
    ("minutes", "transition", "episode"), [(60, Transition.REOPENED, 1), (60.1, Transition.OPENED, 2)]
)
def test_a_cause_within_an_hour_reopens_and_a_later_one_opens_the_next_episode(
    minutes: float, transition: Transition, episode: int
) -> None:
    head = told(signals(finished("RED")), signals(finished("GREEN", "run-2", at=15, window=15)))["quality"]
    now = T0 + timedelta(minutes=minutes)
    again = step(head, finished("RED", "run-3", at=30, window=30), now=now)
    assert again.transition is transition
    assert again.head.incident is not None
    assert again.head.incident.episode == episode
    assert again.head.incident.reopen_count == (transition is Transition.REOPENED)
    assert [delivery.sink for delivery in again.told] == ["sns-critical"]
    assert again.head.incident.incident_id == ids.incident_id("dev", "dev/transform_images/quality", episode)


def test_an_event_older_than_48_hours_changes_the_incident_and_tells_nobody() -> None:
    stale = step(new(), finished("RED"), now=T0 + timedelta(hours=48, seconds=1))
    assert stale.transition is Transition.OPENED
    assert [(each.sink, each.outcome) for each in stale.told] == [("sns-critical", Outcome.SKIPPED_STALE)]
    resolved = step(stale.head, finished("GREEN", "run-2", at=3000, window=15), now=T0 + timedelta(hours=50))
    assert (resolved.transition, resolved.told) == (Transition.RESOLVED, ())


def test_quality_missing_is_info_and_reaches_no_sink() -> None:
    head = Head(incident_key="dev/transform_images/quality_missing")
    missing = step(head, finished("UNCHECKED"), family="quality_missing")
    assert missing.transition is Transition.OPENED
    assert missing.head.incident is not None
    assert missing.head.incident.severity is Severity.INFO
    assert missing.told == ()


def test_causes_without_a_message_are_counted_until_the_next_one() -> None:
    heads = told(*(signals(finished("YELLOW", f"run-{n}", at=n, window=n)) for n in range(3)))
    incident = heads["quality"].incident
    assert incident is not None
    assert (incident.occurrences, incident.suppressed) == (3, 2)
    red = step(heads["quality"], finished("RED", "run-9", at=9, window=9))
    assert red.told[0].suppressed == 2
    assert red.head.incident is not None
    assert red.head.incident.suppressed == 0


def test_an_acknowledged_incident_is_open_again_when_it_escalates() -> None:
    head = step(new(), finished("YELLOW")).head
    assert head.incident is not None
    seen = {"state": State.ACKNOWLEDGED, "acknowledged_by": "ops"}
    head = head.model_copy(update={"incident": head.incident.model_copy(update=seen)})
    same = step(head, finished("YELLOW", "run-2", at=5, window=0)).head.incident
    worse = step(head, finished("RED", "run-2", at=5, window=0)).head.incident
    assert same is not None
    assert worse is not None
    assert (same.state, same.acknowledged_by) == (State.ACKNOWLEDGED, "ops")
    assert (worse.state, worse.acknowledged_by) == (State.OPEN, None)


def test_open_causes_are_never_cut_and_of_the_closed_ones_200_stay() -> None:
    reds = [signals(finished("RED", f"red-{n}", at=n / 10, window=None)) for n in range(230)]
    incident = quality(*reds)
    assert len(incident.open_causes) == 230
    closed = quality(*reds, signals(finished("GREEN", "run-green", at=60, window=None)))
    assert len(closed.causes) == 200
    assert closed.causes[0].job_run_id == "red-30"
    assert closed.occurrences == 230


def test_owner_and_tags_come_from_the_routes() -> None:
    routes = Routes(jobs={"transform_images": Owned("team-images", ("images",))}, config_version="v7")
    [signal] = [signal for signal in signals(finished("RED")) if signal.family == "quality"]
    incident = apply(new(), signal, now=T0, routes=routes).head.incident
    assert incident is not None
    assert (incident.owner, incident.tags, incident.config_version) == ("team-images", ("images",), "v7")


# --- any order ----------------------------------------------------------------------------------------


def standing(incident: Incident | None) -> tuple[object, ...]:
    """What must not depend on the order of arrival."""
    if incident is None:
        return (None,)

    def identity(cause: Cause) -> tuple[str, str]:
        return (cause.rule, cause.event_id)

    return incident.state, incident.severity, sorted(map(identity, incident.open_causes))


RED, GREEN = finished("RED"), finished("GREEN", "run-2", at=15, window=15)
AGAIN = {
    "the same event once more": finished("RED"),
    "a newer run": finished("RED", "run-3", at=30, window=30),
    "a rerun of an older window": finished("RED", "run-3", at=30, window=-600),
    "an older run that was late": finished("RED", "run-0", at=-15, window=-15),
}


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN.keys())
def test_every_permutation_of_red_green_approved_red_again_agrees(again: Event) -> None:
    groups = [signals(RED), signals(GREEN), decision(), signals(again)]
    outcomes = {str(standing(quality(*order))) for order in permutations(groups)}
    assert len(outcomes) == 1
    expected = State.OPEN if again.timestamp > GREEN.timestamp else State.RESOLVED
    assert str(expected) in outcomes.pop()


def test_every_order_of_a_raise_and_two_clears_agrees() -> None:
    def at_each_place(kind: str, run_id: str) -> list[Signal]:
        places = product([0, 1, 2], [None, 0, 1])
        runs = [signals(finished(kind, run_id, at=at, window=window)) for at, window in places]
        return [signal for run in runs for signal in run if signal.family == "quality"]

    for three in product(
        at_each_place("RED", "run-1"), at_each_place("GREEN", "run-2"), at_each_place("GREEN", "run-3")
    ):
        outcomes = {str(standing(quality(*((each,) for each in order)))) for order in permutations(three)}
        assert len(outcomes) == 1, three


# Few moments and few windows, so that what happens meets.
KINDS = st.sampled_from(["RED", "YELLOW", "GREEN", "GREEN", "FAILED", "UNCHECKED", "APPROVED", "REJECTED"])
WINDOWS = st.sampled_from([None, 0, 1, 2])
HAPPENED = st.tuples(KINDS, st.integers(0, 4), st.integers(0, 4), WINDOWS, st.integers(1, 2))


@settings(deadline=None)
@given(st.lists(HAPPENED, min_size=1, max_size=8), st.randoms(use_true_random=False), st.integers(0, 3))
def test_state_severity_and_open_causes_are_a_function_of_the_set(
    happened: list[tuple[str, int, int, int | None, int]], random: object, copies: int
) -> None:
    by_id = {}
    for kind, run, at, window, attempt in happened:
        if kind in {"APPROVED", "REJECTED"}:
            group = decision(kind, f"run-{run}", at=at, attempt=attempt)
        else:
            group = signals(finished(kind, f"run-{run}", at=at, window=window, attempt=attempt))
        by_id.setdefault(group[0].cause.event_id, group)
    groups = list(by_id.values())
    shuffled = [*groups, *groups[:copies]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = told(*groups), told(*shuffled)
    assert {family: standing(head.incident) for family, head in first.items()} == {
        family: standing(head.incident) for family, head in second.items()
    }
