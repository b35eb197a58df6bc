"""One alert message, and each form it takes on its way out. Pure.

Templates are ours; text of an event is only ever a value: cleaned of control characters, escape
sequences and bidirectional overrides, then cut. Nothing here interprets it.
"""

import re
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dwh_contracts.alerts import AlertMessage
from dwh_contracts.canonical import JsonObject, canonical_json
from dwh_contracts.events import Check, ErrorInfo, JobCompleted, QualityStatus, Status
from dwh_contracts.times import format_time

from dwh_alerts.decide import RULE, Signal
from dwh_alerts.incident import Cause, Delivery, Incident, State

SCHEMA_VERSION = "1.0"
TEXT_CHARACTERS = 500
CHECK_CHARACTERS = 200
NAME_CHARACTERS = 200
CHECKS_SHOWN = 5
DROP_REASONS_SHOWN = 3
SUBJECT_CHARACTERS = 99
EMAIL_COLUMNS = 72
EMAIL_BYTES = 8 * 1024

# Escape sequences first, whole; then what is left of control, surrogate and bidirectional characters.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_GRAVITY = {QualityStatus.RED: 0, QualityStatus.YELLOW: 1, QualityStatus.GREEN: 2}
# Decomposition knows no ASCII form of these, and they are what people paste into messages.
_PASTED = {0x2013: "-", 0x2014: "-", 0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2026: "..."}
_PASTED |= {0x2264: "<=", 0x2265: ">=", 0xDF: "ss"}


def plain(text: str, limit: int) -> str:
    """Text of an event as one line of at most `limit` characters that no terminal or reader obeys."""
    line = " ".join(_UNSAFE.sub(" ", _ANSI.sub("", text)).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


# --- the message --------------------------------------------------------------------------------------


def announcement(
    run: JobCompleted, incident: Incident, raised: Cause, delivery: Delivery, links: Mapping[str, str | None]
) -> AlertMessage:
    """Say that a run raised a rule."""
    return AlertMessage.model_validate(
        {
            **_content(run),
            **_standing(incident, delivery),
            "alert_id": raised.alert_id,
            "rule": raised.rule,
            "severity": raised.severity.value,
            "environment": incident.environment,
            "job_name": incident.job_name,
            "job_run_id": raised.job_run_id,
            "attempt": raised.attempt,
            "event_id": raised.event_id,
            "raised_at": format_time(raised.timestamp),
            "title": _title(run, raised),
            "links": {**links, "decide": None},
            "expires_at": None,
            "possible_duplicate": False,
        }
    )


def closing(announced: AlertMessage, incident: Incident, delivery: Delivery, signal: Signal) -> AlertMessage:
    """Say that what was announced is over, and what ended it."""
    said = dumped(announced) | _standing(incident, delivery)
    decided = signal.decided
    end = (
        f"{decided.decision} by {decided.decided_by}"
        if decided
        else f"cleared by run {signal.cause.job_run_id}"
    )
    said["title"] = plain(f"{RULE[announced.rule].title}, {end}", TEXT_CHARACTERS)
    return AlertMessage.model_validate(said)


def dumped(message: AlertMessage) -> JsonObject:
    """The message as JSON."""
    return message.model_dump(mode="json")


def needs_decision(message: AlertMessage) -> bool:
    """Does somebody have to look at the run and decide?"""
    return message.status == Status.PENDING_APPROVAL.value and message.state != State.RESOLVED.value


def _standing(incident: Incident, delivery: Delivery) -> JsonObject:
    seen = [cause.timestamp for cause in incident.causes]
    return {
        "schema_version": SCHEMA_VERSION,
        "incident_id": incident.incident_id,
        "dedup_key": incident.dedup_key,
        "rev": delivery.rev,
        "transition": delivery.transition.value,
        "state": incident.state.value,
        "first_seen": format_time(min(seen)),
        "last_seen": format_time(max(seen)),
        "occurrences": incident.occurrences,
        "suppressed_since_last": delivery.suppressed,
        "owner": incident.owner,
        "tags": list(incident.tags),
    }


def _content(run: JobCompleted) -> JsonObject:
    failed = [check for check in run.quality.checks if check.status is not QualityStatus.GREEN]
    failed.sort(key=lambda check: (_GRAVITY[check.status], check.name))
    reasons = sorted(run.metrics.drop_reasons, key=lambda reason: (-reason.count, reason.reason))
    return {
        "status": run.status.value,
        "failure_type": run.failure_type.value if run.failure_type else None,
        "quality_status": run.quality.status.value if run.quality.evaluated else None,
        "failed_checks": [_check(check) for check in failed[:CHECKS_SHOWN]],
        "summary": {
            "records_read": run.metrics.records_read,
            "records_written": run.metrics.records_written,
            "records_dropped": run.metrics.records_dropped,
            "bytes_written": run.metrics.bytes_written,
            "duration_seconds": run.metrics.duration_seconds,
        },
        "top_drop_reasons": [
            {"reason": plain(reason.reason, NAME_CHARACTERS), "count": reason.count}
            for reason in reasons[:DROP_REASONS_SHOWN]
        ],
        "error": None if run.error is None else _error(run.error),
    }


def _check(check: Check) -> JsonObject:
    return {
        "name": plain(check.name, NAME_CHARACTERS),
        "status": check.status.value,
        "value": check.value,
        "threshold": check.threshold,
        "message": None if check.message is None else plain(check.message, CHECK_CHARACTERS),
    }


def _error(error: ErrorInfo) -> JsonObject:
    return {
        "type": plain(error.type, NAME_CHARACTERS),
        "message": plain(error.message or "", TEXT_CHARACTERS),
    }


def _title(run: JobCompleted, raised: Cause) -> str:
    """`quality RED, drop_rate 0.115 >= 0.1`: the rule and the first thing that broke it."""
    title = RULE[raised.rule].title
    if raised.rule == "job_failed" and run.error:
        return plain(f"{title}, {run.error.type}", TEXT_CHARACTERS)
    worst = [check for check in run.quality.checks if check.status is run.quality.status]
    if raised.rule in {"quality_red", "quality_yellow"} and worst:
        return plain(
            f"{title}, {comparison(worst[0].name, worst[0].value, worst[0].threshold)}", TEXT_CHARACTERS
        )
    return title


def comparison(name: str, value: float | None, threshold: float | None) -> str:
    """`drop_rate 0.115 >= 0.1`, or the name alone where a number is missing."""
    if value is None or threshold is None:
        return name
    return f"{name} {number(value)} {'>=' if value >= threshold else '<'} {number(threshold)}"


def number(value: float) -> str:
    """Four digits after the point at most, no trailing zeros, never an exponent."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


# --- SNS ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SnsMessage:
    """What SNS is given: a body for each protocol, one line of subject, flat attributes."""

    subject: str
    body: bytes
    attributes: dict[str, str]


def for_sns(message: AlertMessage) -> SnsMessage:
    """`MessageStructure` json: `default` is the message, `email` plain text."""
    whole = canonical_json(dumped(message)).decode()
    attributes = {
        "severity": message.severity,
        "rule": message.rule,
        "transition": message.transition,
        "environment": message.environment,
        "job_name": message.job_name,
        "owner": message.owner,
        "incident_id": message.incident_id,
    }
    return SnsMessage(
        subject=subject(message),
        body=canonical_json({"default": whole, "email": email(message)}),
        attributes={name: str(value) for name, value in attributes.items() if value is not None},
    )


def subject(message: AlertMessage) -> str:
    """One line of at most 99 printable ASCII characters; SNS refuses anything else."""
    tag = "RESOLVED" if message.state == State.RESOLVED.value else str(message.severity).upper()
    wanted = ", decision needed" if needs_decision(message) else ""
    line = f"[{tag}] {message.environment} {message.job_name}: {message.title}"
    return f"{_ascii(line)[: SUBJECT_CHARACTERS - len(wanted)]}{wanted}"


def _ascii(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", plain(text, TEXT_CHARACTERS).translate(_PASTED))
    letters = (character for character in decomposed if not unicodedata.combining(character))
    return "".join(character if " " <= character <= "~" else "?" for character in letters)


def email(message: AlertMessage) -> str:
    """Plain text, 72 columns, 8 KiB at most; an address stands whole on a line of its own."""
    text = "\n".join(_email_lines(message)) + "\n"
    return text.encode()[:EMAIL_BYTES].decode(errors="ignore")


def _email_lines(message: AlertMessage) -> Iterator[str]:
    yield from _wrapped(f"{str(message.severity).upper()} {message.title}")
    yield from _wrapped(f"{message.job_name} in {message.environment}: incident {message.transition}")
    if message.possible_duplicate:
        yield from _wrapped("This may be a second copy: an earlier attempt to send it ended unknown.")
    yield ""
    links = message.links
    for label, address in (("Decide", links.decide), ("Open run", links.run), ("Runbook", links.runbook)):
        if address is not None:
            yield f"{label}:"
            yield address
    yield ""
    yield from _email_facts(message)
    yield ""
    yield from _wrapped(f"Incident {message.incident_id}, rev {message.rev}")


def _email_facts(message: AlertMessage) -> Iterator[str]:
    summary = message.summary
    yield from _wrapped(f"Run {message.job_run_id}, attempt {message.attempt}, status {message.status}")
    yield from _wrapped(f"Raised at {format_time(message.raised_at)}, {message.occurrences} so far")
    yield from _wrapped(
        f"Records read {summary.records_read:,}, written {summary.records_written:,}, "
        f"dropped {summary.records_dropped:,}; {summary.duration_seconds:g} s"
    )
    for check in message.failed_checks:
        said = f": {check.message}" if check.message else ""
        line = comparison(check.name, check.value, check.threshold)
        yield from _wrapped(f"Check {check.status} {line}{said}")
    for dropped in message.top_drop_reasons:
        yield from _wrapped(f"Dropped {dropped.count:,}: {dropped.reason}")
    if message.error is not None:
        yield from _wrapped(f"Error {message.error.type}: {message.error.message}")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, EMAIL_COLUMNS, subsequent_indent="  ")
