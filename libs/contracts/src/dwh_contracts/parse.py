"""From bytes to a typed event, or a refusal with its reason: never anything else.

Of several faults the first in the order of `QuarantineReason` wins, so that a message has one reason
wherever it is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal, cast

from pydantic import ValidationError

from dwh_contracts import ids
from dwh_contracts.approvals import APPROVAL_EVENTS
from dwh_contracts.canonical import JsonObject, content_hash
from dwh_contracts.claim_check import MESSAGE_BYTES, Expand, expand_claim_check
from dwh_contracts.cloudevents import is_cloud_event, unwrap
from dwh_contracts.consistency import inconsistency
from dwh_contracts.event_ids import expected_event_id
from dwh_contracts.events import JOB_EVENTS, Envelope, JobCompleted
from dwh_contracts.facts import EFFECT_EVENTS, Fact
from dwh_contracts.quarantine import QuarantineReason, Refused
from dwh_contracts.reading import check_version, decode, first_fault
from dwh_contracts.times import format_time, parse_time
from dwh_contracts.upcast import upcast

__all__ = ["Event", "Family", "Refused", "event_from_body", "family_of", "parse_event", "stored_event"]

Family = Literal["job", "approval", "effect"]
MAX_AHEAD = timedelta(hours=24)
MAX_BEHIND = timedelta(days=400)
_MODELS: Mapping[Family, Mapping[str, type[Envelope]]] = {
    "job": JOB_EVENTS,
    "approval": APPROVAL_EVENTS,
    "effect": EFFECT_EVENTS,
}


@dataclass(frozen=True)
class Event:
    """One event: `body` as it is stored (current form, complete with its id), `model` to reason with."""

    body: JsonObject
    model_type: type[Envelope] = field(repr=False)

    @cached_property
    def model(self) -> Envelope:
        """The body, typed."""
        return self.model_type.model_validate(self.body)

    @property
    def event_id(self) -> str:
        """Under which it is stored."""
        return cast("str", self.body["event_id"])

    @property
    def event_type(self) -> str:
        """Which model it is."""
        return cast("str", self.body["event_type"])

    @property
    def environment(self) -> str:
        """Where it happened."""
        return cast("str", self.body["environment"])

    @property
    def job_name(self) -> str:
        """The job; empty on a fact without a run."""
        return cast("str | None", self.body.get("job_name")) or ""

    @property
    def job_run_id(self) -> str:
        """The run; empty on a fact without one."""
        return cast("str | None", self.body.get("job_run_id")) or ""

    @property
    def attempt(self) -> int:
        """The attempt of the run; 1 on a fact without one."""
        return cast("int | None", self.body.get("attempt")) or 1

    @cached_property
    def timestamp(self) -> datetime:
        """Publish time, aware, UTC."""
        return parse_time(cast("str", self.body["timestamp"]))

    @cached_property
    def time(self) -> str:
        """`timestamp` as it is written; texts sort as the times do."""
        return format_time(self.timestamp)

    @property
    def stream(self) -> str:
        """All events of one run share it."""
        return ids.stream(self.environment, self.job_name, self.job_run_id)

    @property
    def family(self) -> Family:
        """In which part of the store it lies; the dispatcher's `trigger_failed` is no fact, ours is."""
        return "effect" if issubclass(self.model_type, Fact) else family_of(self.event_type)

    @cached_property
    def content_hash(self) -> str:
        """Equal exactly for events that say the same."""
        return content_hash(self.body)


def family_of(event_type: str) -> Family:
    """The family of an event type; `trigger_failed` counts as the dispatcher's, see `Event.family`.

    Raises:
        ValueError: no such event type.
    """
    for family, models in _MODELS.items():
        if event_type in models:
            return family
    raise ValueError(f"unknown event type: {event_type[:64]!r}")


def parse_event(
    raw: bytes,
    *,
    environment: str,
    now: datetime,
    family: Family | None = None,
    expand: Expand | None = None,
) -> Event:
    """The event in `raw`; a structured CloudEvent is unwrapped, a claim check resolved by `expand`.

    Raises:
        Refused: with the first fault in the order of `QuarantineReason`.
    """
    value = decode(raw)
    if len(raw) > MESSAGE_BYTES:
        raise Refused(QuarantineReason.TOO_LARGE, None, f"{len(raw)} bytes, at most {MESSAGE_BYTES}")
    if is_cloud_event(value):
        value = unwrap(value)
    if "claim_check" in value:
        value = decode(expand_claim_check(value["claim_check"], environment, expand))
    event = _event(upcast(value, environment=environment), family)
    _check_time(event.timestamp, now)
    if isinstance(event.model, JobCompleted) and (path := inconsistency(event.model)) is not None:
        raise Refused(QuarantineReason.INCONSISTENT_STATUS, path, f"contradicts {event.model.status}")
    if event.environment != environment:
        raise Refused(QuarantineReason.WRONG_ENVIRONMENT, "environment", f"this is {environment}")
    return event


def event_from_body(body: JsonObject) -> Event:
    """An event of ours, stored or just built: typed and given its id, not judged by clock or environment.

    Raises:
        Refused: `body` is not an event of a known type and form.
    """
    return _event(upcast(body, environment=str(body.get("environment", ""))), None)


def stored_event(body: JsonObject) -> Event:
    """An event that the store holds: its form was checked when it came, its `model` is made when asked for.

    Raises:
        Refused: `body` is not an event of a known type and version.
    """
    return _untyped(upcast(body, environment=""), None)


def _event(body: JsonObject, family: Family | None) -> Event:
    event = _untyped(body, family)
    try:
        named = event.model.event_id
    except ValidationError as error:
        raise first_fault(error) from None
    if named is not None:
        return event
    try:
        return Event({**body, "event_id": expected_event_id(body)}, event.model_type)
    except ValueError as error:
        raise Refused(QuarantineReason.BAD_NAME, "event_id", str(error)) from error


def _untyped(body: JsonObject, family: Family | None) -> Event:
    check_version(body["schema_version"])
    return Event(body, _model_type(body, family))


def _model_type(body: JsonObject, family: Family | None) -> type[Envelope]:
    if "event_type" not in body:
        raise Refused(QuarantineReason.MISSING_FIELD, "event_type", "nothing says what this is")
    event_type = body["event_type"]
    if not isinstance(event_type, str):
        raise Refused(QuarantineReason.WRONG_TYPE, "event_type", "an event type is a string")
    if family is None:
        family = "effect" if "effect" in body and event_type in EFFECT_EVENTS else None
    for name, models in _MODELS.items():
        if event_type in models and family in {None, name}:
            return models[event_type]
    raise Refused(QuarantineReason.UNKNOWN_EVENT_TYPE, "event_type", f"{event_type[:64]!r}")


def _check_time(timestamp: datetime, now: datetime) -> None:
    if not now - MAX_BEHIND <= timestamp <= now + MAX_AHEAD:
        raise Refused(
            QuarantineReason.TIME_OUT_OF_RANGE, "timestamp", "more than 24 h ahead or 400 days back"
        )
