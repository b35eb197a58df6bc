"""Who must know: which signals follow from an event, and what they do to an incident. Pure.

Guarantees that state, severity of an open incident and its open causes are a function of the set of
signals applied to a head, whatever their order. Episodes, revs and messages follow the order of arrival.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import quote

from dwh_contracts import ids
from dwh_contracts.events import FailureType, JobCompleted, QualityStatus, Status
from dwh_contracts.parse import Event
from dwh_contracts.times import parse_time

from dwh_alerts.incident import (
    Cause,
    CausedBy,
    Clear,
    Decided,
    Delivery,
    Head,
    Incident,
    Outcome,
    State,
    Transition,
    dedup_key,
    gravest,
    with_clear,
    without_oldest_closed,
)
from dwh_alerts.routes import Routes, Severity

RING_SIZE = 512
DECIDED_KEPT = 512
DELIVERIES_KEPT = 200
REOPEN_WITHIN = timedelta(minutes=60)
STALE_AFTER = timedelta(hours=48)


# --- the severity table -------------------------------------------------------------------------------


class Condition(StrEnum):
    """What a run may be, in the words of the severity table.

    A failed run was not audited to its end: it counts as FAILED and never as evaluated.
    """

    FAILED = "status FAILED or failure_type CATASTROPHIC"
    NOT_FAILED = "not FAILED"
    RED = "evaluated, quality.status RED"
    YELLOW = "evaluated, quality.status YELLOW"
    GREEN = "evaluated, quality.status GREEN"
    EVALUATED = "evaluated"
    NOT_EVALUATED = "SUCCESS, quality.evaluated false"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the severity table."""

    name: str
    title: str
    raised_when: Condition
    severity: Severity
    family: str
    cleared_when: Condition
    closed_by_decision: bool = False


# First match wins within a family.
RULES: tuple[Rule, ...] = (
    Rule("job_failed", "job failed", Condition.FAILED, Severity.CRITICAL, "failed", Condition.NOT_FAILED),
    Rule(
        "quality_red",
        "quality RED",
        Condition.RED,
        Severity.CRITICAL,
        "quality",
        Condition.GREEN,
        closed_by_decision=True,
    ),
    Rule(
        "quality_yellow", "quality YELLOW", Condition.YELLOW, Severity.WARNING, "quality", Condition.EVALUATED
    ),
    Rule(
        "quality_missing",
        "quality not evaluated",
        Condition.NOT_EVALUATED,
        Severity.INFO,
        "quality_missing",
        Condition.EVALUATED,
    ),
)
RULE: Mapping[str, Rule] = {rule.name: rule for rule in RULES}
DECIDED_FAMILIES = tuple(dict.fromkeys(rule.family for rule in RULES if rule.closed_by_decision))


def _failed(run: JobCompleted) -> bool:
    return run.status is Status.FAILED or run.failure_type is FailureType.CATASTROPHIC


def _evaluated(run: JobCompleted) -> bool:
    return run.quality.evaluated and not _failed(run)


def _evaluated_as(status: QualityStatus) -> Callable[[JobCompleted], bool]:
    return lambda run: _evaluated(run) and run.quality.status is status


HOLDS: Mapping[Condition, Callable[[JobCompleted], bool]] = {
    Condition.FAILED: _failed,
    Condition.NOT_FAILED: lambda run: not _failed(run),
    Condition.RED: _evaluated_as(QualityStatus.RED),
    Condition.YELLOW: _evaluated_as(QualityStatus.YELLOW),
    Condition.GREEN: _evaluated_as(QualityStatus.GREEN),
    Condition.EVALUATED: _evaluated,
    Condition.NOT_EVALUATED: lambda run: run.status is Status.SUCCESS and not run.quality.evaluated,
}


# --- from event to signal -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signal:
    """What one event says about one family of its job; the event's id makes a second copy a no-op."""

    family: str
    cause: CausedBy
    raised: Cause | None = None
    clears: tuple[str, ...] = ()
    window_end: datetime | None = None
    decided: Decided | None = None

    @property
    def incident_key(self) -> str:
        """`<environment>/<job_name>/<family>`, ASCII."""
        return "/".join(
            quote(part, safe="") for part in (self.cause.environment, self.cause.job_name, self.family)
        )


def signals_of_run(event: Event, run: JobCompleted) -> tuple[Signal, ...]:
    """The raises and clears of a finished run, one signal for each family it says something about."""
    raised: dict[str, Rule] = {}
    cleared: dict[str, list[str]] = {}
    for rule in RULES:
        if HOLDS[rule.raised_when](run):
            raised.setdefault(rule.family, rule)
        if HOLDS[rule.cleared_when](run):
            cleared.setdefault(rule.family, []).append(rule.name)
    return tuple(
        Signal(
            family=family,
            cause=caused_by(event),
            raised=_cause(event, run, raised[family]) if family in raised else None,
            clears=tuple(cleared.get(family, ())),
            window_end=_moment(run.metrics.end_date),
        )
        for family in dict.fromkeys([*raised, *cleared])
    )


def signals_of_decision(accepted: Event) -> tuple[Signal, ...]:
    """The end of every cause that waits for the decision on this run attempt; `accepted` is the final one."""
    decided = Decided(
        event_id=accepted.event_id,
        job_run_id=accepted.job_run_id,
        attempt=accepted.attempt,
        decision=str(accepted.body["decision"]),
        decided_by=str(accepted.body["decided_by"]),
    )
    return tuple(
        Signal(family=family, cause=caused_by(accepted), decided=decided) for family in DECIDED_FAMILIES
    )


def caused_by(event: Event) -> CausedBy:
    """The event as facts, messages and links name it."""
    return CausedBy(
        environment=event.environment,
        job_name=event.job_name,
        job_run_id=event.job_run_id,
        attempt=event.attempt,
        event_id=event.event_id,
        timestamp=event.timestamp,
    )


def _moment(text: str | None) -> datetime | None:
    """An end of a data window; what is no time is not known."""
    try:
        return parse_time(text) if text is not None else None
    except ValueError:
        return None


def _cause(event: Event, run: JobCompleted, rule: Rule) -> Cause:
    return Cause(
        alert_id=ids.alert_id(event.environment, run.job_name, run.job_run_id, rule.name),
        rule=rule.name,
        severity=rule.severity,
        job_run_id=run.job_run_id,
        attempt=run.attempt,
        event_id=event.event_id,
        timestamp=event.timestamp,
        window_start=_moment(run.metrics.start_date),
        window_end=_moment(run.metrics.end_date),
        needs_decision=rule.closed_by_decision and run.status is Status.PENDING_APPROVAL,
    )


# --- from signal to incident --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """What a signal did: the new head and, if the incident changed, its transition and who hears of it."""

    head: Head
    transition: Transition | None = None
    raised: Cause | None = None
    told: tuple[Delivery, ...] = ()


def apply(head: Head, signal: Signal, *, now: datetime, routes: Routes) -> Step:
    """Apply a signal once.

    A copy of an applied signal changes nothing. A raise that a known clear or decision covers is born
    closed and tells nobody. An event older than 48 h changes the incident and tells nobody either.
    """
    if signal.cause.event_id in head.ring:
        return Step(head)
    head = _remembered(head, signal)
    raised = _judged(signal.raised, head) if signal.raised else None
    incident = _episode(head, signal, raised, now)
    if incident is None:
        return Step(head)
    causes = _judged_anew(incident, raised, head)
    if causes == incident.causes:
        return Step(head)
    begins = incident is not head.incident
    transition = _transition(incident, causes, begins=begins)
    told_before = () if begins else head.told
    told = tuple(
        Delivery(
            rev=incident.rev + 1,
            sink=sink,
            transition=transition,
            outcome=Outcome.SKIPPED_STALE if now - signal.cause.timestamp > STALE_AFTER else Outcome.PLANNED,
            suppressed=incident.suppressed,
        )
        for sink in _sinks(transition, raised, told_before, routes)
    )
    heard = (delivery.sink for delivery in told if delivery.outcome is Outcome.PLANNED)
    update = {
        "incident": _changed(incident, causes, transition, raised, told, now=now, routes=routes),
        "told": tuple(dict.fromkeys((*told_before, *heard))),
    }
    return Step(head.model_copy(update=update), transition, raised, told)


def _remembered(head: Head, signal: Signal) -> Head:
    clear = Clear(
        event_id=signal.cause.event_id, timestamp=signal.cause.timestamp, window_end=signal.window_end
    )
    clears = {rule: with_clear(head.clears.get(rule, ()), clear) for rule in signal.clears}
    decided = (*head.decided, signal.decided) if signal.decided else head.decided
    return head.model_copy(
        update={
            "ring": (*head.ring, signal.cause.event_id)[-RING_SIZE:],
            "clears": {**head.clears, **clears},
            "decided": decided[-DECIDED_KEPT:],
        }
    )


def _judged(cause: Cause, head: Head) -> Cause:
    """The cause, closed by the first thing known to the head that covers it."""
    if cause.closed_by is not None:
        return cause
    closers = [clear.event_id for clear in head.clears.get(cause.rule, ()) if clear.covers(cause)]
    if RULE[cause.rule].closed_by_decision:
        closers += [
            decided.event_id
            for decided in head.decided
            if (decided.job_run_id, decided.attempt) == (cause.job_run_id, cause.attempt)
        ]
    return cause.model_copy(update={"closed_by": closers[0]}) if closers else cause


def _judged_anew(incident: Incident, raised: Cause | None, head: Head) -> tuple[Cause, ...]:
    causes = tuple(_judged(cause, head) for cause in incident.causes)
    # The ring may have forgotten a copy that the causes still know.
    if raised is None or raised.event_id in {cause.event_id for cause in causes}:
        return causes
    return (*causes, raised)


def _episode(head: Head, signal: Signal, raised: Cause | None, now: datetime) -> Incident | None:
    """The incident a signal belongs to: the one there is, the next episode, or none yet."""
    before = head.incident
    if before is None:
        return _begun(signal, episode=1, now=now) if raised else None
    over = before.resolved_at is not None and now - before.resolved_at > REOPEN_WITHIN
    if over and raised is not None and raised.closed_by is None:
        return _begun(signal, episode=before.episode + 1, now=now)
    return before


def _begun(signal: Signal, *, episode: int, now: datetime) -> Incident:
    key, cause = signal.incident_key, signal.cause
    return Incident(
        incident_id=ids.incident_id(cause.environment, key, episode),
        incident_key=key,
        dedup_key=dedup_key(key, episode),
        episode=episode,
        environment=cause.environment,
        job_name=cause.job_name,
        family=signal.family,
        state=State.OPEN,
        severity=Severity.INFO,
        opened_at=now,
        updated_at=now,
    )


def _transition(incident: Incident, causes: Sequence[Cause], *, begins: bool) -> Transition:
    still_open = [cause for cause in causes if cause.closed_by is None]
    was_open = bool(incident.open_causes)
    if not still_open:
        return Transition.RESOLVED if was_open or begins else Transition.UPDATED
    if begins:
        return Transition.OPENED
    if not was_open:
        return Transition.REOPENED
    return Transition.ESCALATED if gravest(still_open).rank > incident.severity.rank else Transition.UPDATED


def _sinks(
    transition: Transition, raised: Cause | None, told: tuple[str, ...], routes: Routes
) -> tuple[str, ...]:
    if transition is Transition.RESOLVED:
        return told
    if raised is None or raised.closed_by is not None:
        return ()
    # A run that waits for a person is announced at once, however many came before it.
    if transition is Transition.UPDATED and not raised.needs_decision:
        return ()
    return routes.sinks(raised.severity)


def _changed(
    incident: Incident,
    causes: tuple[Cause, ...],
    transition: Transition,
    raised: Cause | None,
    told: tuple[Delivery, ...],
    *,
    now: datetime,
    routes: Routes,
) -> Incident:
    causes = without_oldest_closed(causes)
    living = tuple(cause for cause in causes if cause.closed_by is None) or causes
    first = max(living, key=lambda cause: (cause.severity.rank, cause.timestamp, cause.event_id))
    owned = routes.owned(incident.job_name)
    update: dict[str, object] = {
        "causes": causes,
        "severity": gravest(living),
        "rev": incident.rev + 1,
        "updated_at": now,
        "occurrences": incident.occurrences + (raised is not None),
        "suppressed": 0 if told else incident.suppressed + (raised is not None),
        "title": f"{incident.job_name}: {RULE[first.rule].title}",
        "owner": owned.owner,
        "tags": owned.tags,
        "links": routes.links(
            environment=incident.environment,
            job_name=incident.job_name,
            job_run_id=first.job_run_id,
            rule=first.rule,
        ),
        "deliveries": (*incident.deliveries, *told)[-DELIVERIES_KEPT:],
        "config_version": routes.config_version,
    }
    if transition is Transition.RESOLVED:
        update |= {"state": State.RESOLVED, "resolved_at": now}
    elif transition is not Transition.UPDATED:
        update |= {"state": State.OPEN, "resolved_at": None, "acknowledged_by": None}
    if transition is Transition.REOPENED:
        update["reopen_count"] = incident.reopen_count + 1
    return incident.model_copy(update=update)
