"""`dwh selftest`: one event of a test job goes the way of every event, and must be found in the store."""

import asyncio
import os
import secrets
from typing import Annotated

import typer
from dwh_contracts.attributes import attributes_of, subject_of
from dwh_contracts.canonical import canonical_json
from dwh_contracts.clock import SystemClock
from dwh_contracts.parse import Event, event_from_body
from dwh_contracts.testing import a_job_event
from dwh_contracts.times import format_time
from dwh_eventstore import StoreDenied, StoreUnavailable
from dwh_runtime.aws import AwsClients, AwsRefused, AwsUnavailable

from dwh_cli.connect import setting
from dwh_cli.exits import No, NoServer, Usage
from dwh_cli.store import opened_store

JOB_NAME = "dwh_selftest"
LOOK_AGAIN_SECONDS = 0.25


def selftest(
    *,
    seconds: Annotated[float, typer.Option(min=1, help="How long the event may take.")] = 30,
) -> None:
    """Publish a GREEN event of the job `dwh_selftest` and wait until the indexer has stored it.

    No workflow names that job: nothing starts, nobody is paged.
    """
    event = _event()
    try:
        took = asyncio.run(_round_trip(event, seconds))
    except AwsRefused as refused:
        raise No(f"publishing to {setting('DWH_JOB_EVENTS_TOPIC_ARN')} was refused: {refused}") from None
    except StoreDenied as denied:
        raise Usage(str(denied)) from None
    except (AwsUnavailable, StoreUnavailable) as away:
        raise NoServer(str(away)) from None
    if took is None:
        raise No(
            f"event {event.event_id} was published and not stored within {seconds:g} s: "
            "see whether its queue is subscribed to the topic, and the log and /readyz of the indexer"
        )
    typer.echo(f"event {event.event_id} of {JOB_NAME} published and found in the store after {took:.1f} s")


def _event() -> Event:
    now = format_time(SystemClock().now())
    run_id = f"selftest-{os.environ.get('HOSTNAME', 'here')[:60]}-{secrets.token_hex(4)}"
    environment = setting("DWH_ENVIRONMENT")
    return event_from_body(
        a_job_event(environment=environment, job_name=JOB_NAME, job_run_id=run_id, timestamp=now)
    )


async def _round_trip(event: Event, seconds: float) -> float | None:
    loop = asyncio.get_running_loop()
    async with opened_store() as store, AwsClients(setting("AWS_REGION")) as aws:
        began = loop.time()
        await aws.topics.publish(
            setting("DWH_JOB_EVENTS_TOPIC_ARN"),
            canonical_json(event.body),
            attributes_of(event.body),
            subject_of(event.body),
        )
        while loop.time() - began < seconds:
            if await store.events.get(event.event_id, event.timestamp) is not None:
                return loop.time() - began
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
    return None
