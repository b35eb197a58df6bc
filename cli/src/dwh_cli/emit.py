"""`dwh emit`: check job events or decisions and publish them with the right attributes."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from dwh_contracts.attributes import attributes_of, subject_of
from dwh_contracts.canonical import canonical_json
from dwh_contracts.clock import SystemClock
from dwh_contracts.parse import Event, Refused, parse_event
from dwh_runtime.aws import AwsClients, AwsRefused, AwsUnavailable

from dwh_cli.connect import setting
from dwh_cli.exits import NoServer, Usage

TOPICS = {"job": "DWH_JOB_EVENTS_TOPIC_ARN", "approval": "DWH_JOB_APPROVALS_TOPIC_ARN"}


def emit(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="JSON files; - reads standard input.")],
    *,
    topic: Annotated[str | None, typer.Option(help="Publish here instead of the event's own topic.")] = None,
) -> None:
    """Publish job events or decisions; nothing is published unless every file is good."""
    events = [(name, _read(name)) for name in files]

    async def publish() -> None:
        async with AwsClients(setting("AWS_REGION")) as aws:
            for name, event in events:
                arn = topic or setting(TOPICS[event.family])
                message_id = await aws.topics.publish(
                    arn, canonical_json(event.body), attributes_of(event.body), subject_of(event.body)
                )
                typer.echo(f"{name}: {event.event_type} {event.event_id} published as {message_id}")

    try:
        asyncio.run(publish())
    except AwsRefused as refused:
        raise Usage(str(refused)) from None
    except AwsUnavailable as away:
        raise NoServer(str(away)) from None


def _read(name: str) -> Event:
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise Usage(f"{name}: {error.strerror}") from None
    try:
        event = parse_event(raw, environment=setting("DWH_ENVIRONMENT"), now=SystemClock().now())
    except Refused as refused:
        raise Usage(f"{name}: {refused}") from None
    if event.family not in TOPICS:
        raise Usage(f"{name}: {event.event_type} is written by services only")
    return event
