"""Dead letters as people look at them: why each is there, what is wrong with its body, which ones are meant.

Text of a letter is data; nothing of it is obeyed or run.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dwh_contracts.canonical import JsonObject
from dwh_contracts.parse import parse_event
from dwh_contracts.quarantine import Refused
from dwh_contracts.times import format_time
from dwh_contracts.triggers import parse_trigger_message
from faststream_sqs import MalformedEnvelopeError
from faststream_sqs.message import unpack_headers
from faststream_sqs.parking import HEADERS_ATTRIBUTE
from faststream_sqs.parser import unwrapped
from faststream_sqs.redrive import DeadLetter

from dwh_cli.exits import Usage

TRIGGERS = "mwaa-triggers"
QUEUES = ("indexer", "alerts", "orchestrator", "approvals", TRIGGERS)
"""The queues that have dead letters, without `dwh-<env>-`."""

Expand = Callable[[JsonObject], bytes]
VALID = "the body is valid"
VALID_TRIGGER = "the body is valid; the dispatcher refused its DAG or conf, or never ran: see `dwh why`"


def queue_name(given: str, environment: str) -> str:
    """The queue that a person means by `alerts`, its whole name, its URL, or those of its dead letters."""
    if "://" in given:
        return given.removesuffix("-dlq")
    prefix = f"dwh-{environment}-"
    return prefix + given.removeprefix(prefix).removesuffix("-dlq")


def verdict(queue: str, body: str, *, environment: str, now: datetime, expand: Expand | None = None) -> str:
    """What the service that reads this queue says of a body: that it is valid, or the first fault."""
    try:
        raw = unwrapped(body).encode()
        if queue.endswith(TRIGGERS):
            parse_trigger_message(raw, environment)
            return VALID_TRIGGER
        parse_event(raw, environment=environment, now=now, expand=expand)
    except (MalformedEnvelopeError, Refused) as fault:
        return str(fault)
    return VALID


def why(letter: DeadLetter) -> str:
    """Why it is a dead letter, in one line."""
    details = letter.details
    if not details:
        return "moved by SQS: received too often and never settled"
    failure = ": ".join(str(details[name]) for name in ("exception_type", "message") if details.get(name))
    return f"{details['reason']}: {failure}" if failure else str(details["reason"])


def described(letter: DeadLetter, check: str) -> dict[str, Any]:
    """A letter as `dwh dlq peek` shows it; `details` are those it was parked with."""
    return {
        "message_id": letter.message_id,
        "why": why(letter),
        "check": check,
        "parked_at": format_time(datetime.fromtimestamp(letter.parked_at, UTC)) if letter.details else None,
        "receives": letter.raw.receive_count,
        "details": {name: value for name, value in letter.details.items() if name != HEADERS_ATTRIBUTE},
        "attributes": _attributes(letter),
        "body": letter.body,
    }


def matcher(wanted: Sequence[str]) -> Callable[[DeadLetter], bool]:
    """Whether a letter has every `key=value` given.

    A key is looked for in the details, then in attributes and headers, then in the body (with dots for what
    lies deeper); `details.`, `attributes.` and `body.` before it say where.

    Raises:
        Usage: one of them is no `key=value`.
    """
    pairs = []
    for text in wanted:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise Usage(f"--match: {text!r} is not key=value")
        pairs.append((key, value))
    return lambda letter: all(_has(letter, key, value) for key, value in pairs)


def _has(letter: DeadLetter, key: str, value: str) -> bool:
    places = {"details": letter.details, "attributes": _attributes(letter), "body": _body(letter)}
    place, dot, rest = key.partition(".")
    if dot and place in places:
        return _at(places[place], rest) == value
    found = (_at(tree, key) for tree in places.values())
    return next((text for text in found if text is not None), None) == value


def _at(tree: Any, path: str) -> str | None:
    if isinstance(tree, Mapping) and path in tree:
        value = tree[path]
        return value if isinstance(value, str) else json.dumps(value)
    first, dot, rest = path.partition(".")
    return _at(tree.get(first), rest) if dot and isinstance(tree, Mapping) else None


def _attributes(letter: DeadLetter) -> dict[str, str]:
    found = {name: attribute.text for name, attribute in letter.original().attributes.items()}
    return found | dict(unpack_headers(found.pop(HEADERS_ATTRIBUTE, "{}")))


def _body(letter: DeadLetter) -> Any:
    try:
        return json.loads(unwrapped(letter.body))
    except (ValueError, RecursionError):
        return None
