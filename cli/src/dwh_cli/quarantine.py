"""`dwh quarantine`: refused messages; look at them, give them back to their service, or set them aside."""

import getpass
from typing import Annotated, Any

import typer
from dwh_contracts.canonical import JsonObject
from dwh_contracts.facts import system_fact
from dwh_contracts.parse import event_from_body
from dwh_eventstore import Store, Versioned, raw_bytes
from dwh_runtime.aws import AwsClients, AwsError, AwsRefused, Queues

from dwh_cli import show
from dwh_cli.connect import setting
from dwh_cli.exits import No, NoServer, Usage
from dwh_cli.store import opened_store, wait_for

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Refused messages, with their raw bytes.")
AsJson = Annotated[bool, show.AS_JSON]
STATES = ("open", "replayed", "discarded")


@app.command("list")
def list_records(
    *,
    state: Annotated[str, typer.Option(help="open, replayed, discarded or all.")] = "open",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:
    """The newest refused messages."""
    if state not in {*STATES, "all"}:
        raise Usage(f"--state: {state!r} is none of {', '.join(STATES)}, all")

    async def read() -> list[JsonObject]:
        async with opened_store() as store:
            return await store.quarantine.list(None if state == "all" else state, limit=limit)

    records = wait_for(read)
    if as_json:
        show.as_json({"items": records, "next_cursor": None})
        return
    columns = ("timestamp", "quarantine_id", "service", "reason", "path", "detail", "state")
    show.table(
        columns,
        [[record.get(name) for name in columns] for record in records],
        empty="nothing is quarantined",
    )


@app.command("show")
def show_record(quarantine_id: str, *, as_json: AsJson = False) -> None:
    """One refused message: why, and the bytes as received."""

    async def read() -> JsonObject:
        async with opened_store() as store:
            return (await _record(store, quarantine_id)).body

    record = wait_for(read)
    if as_json:
        show.as_json(record)
    else:
        show.fields(record)


@app.command("replay")
def replay(quarantine_ids: Annotated[list[str], typer.Argument(metavar="ID…")]) -> None:
    """Give messages back to the queue of the service that refused them, after what refused them is mended."""

    async def send() -> None:
        async with opened_store() as store, AwsClients(setting("AWS_REGION")) as aws:
            for quarantine_id in quarantine_ids:
                record = await open_record(store, quarantine_id)
                queue = setting(f"DWH_{str(record.body['service']).upper()}_QUEUE_URL")
                message_id = await give_back(store, aws.queues, queue, record)
                typer.echo(f"{quarantine_id}: given back to {record.body['service']} as {message_id}")

    wait_for(send)


@app.command("discard")
def discard(
    quarantine_id: str, *, reason: Annotated[str, typer.Option(help="Why nobody needs it; recorded.")]
) -> None:
    """Set a message aside for good; its bytes stay."""
    if not reason.strip():
        raise Usage("--reason: say why nobody needs it")

    async def discarded() -> None:
        async with opened_store() as store:
            record = await open_record(store, quarantine_id)
            await _told(
                store, await _changed(store, record, "discarded"), "quarantine_discarded", reason.strip()
            )
            typer.echo(f"{quarantine_id}: discarded")

    wait_for(discarded)


async def _record(store: Store, quarantine_id: str) -> Versioned:
    record = await store.quarantine.get(quarantine_id)
    if record is None:
        raise No(f"nothing is quarantined as {quarantine_id}")
    return record


async def give_back(store: Store, queues: Queues, queue_url: str, record: Versioned) -> str:
    """Send a message to its queue again and say so; the id it got there.

    Its attributes do not travel: services decide on the body.

    Raises:
        No: somebody else changed the record meanwhile.
        Usage, NoServer: it could not be sent, and is open as before.
    """
    changed = await _changed(store, record, "open", replaying=True)
    try:
        message_id = await queues.send(queue_url, raw_bytes(record.body), {})
    except AwsError as error:
        ended = Usage if isinstance(error, AwsRefused) else NoServer
        raise ended(f"{record.key} was not sent and stays open: {error}") from None
    await store.quarantine.change_state(changed, "replayed")  # unless it was refused again meanwhile
    await _told(store, changed, "quarantine_replayed", f"sent as {message_id}")
    return message_id


async def open_record(store: Store, quarantine_id: str) -> Versioned:
    """The record if it waits for somebody.

    Raises:
        No: there is none, or it was dealt with.
    """
    record = await _record(store, quarantine_id)
    if record.body.get("state") != "open":
        raise No(f"{quarantine_id} is {record.body.get('state')} already")
    return record


async def _changed(store: Store, record: Versioned, state: str, *, replaying: bool = False) -> Versioned:
    """The record in its new state, which nobody else has changed meanwhile."""
    if not await store.quarantine.change_state(record, state, replaying=replaying):
        raise No(f"{record.key} was changed by somebody else meanwhile")
    return await _record(store, record.key)


async def _told(store: Store, record: Versioned, event_type: str, reason: str) -> None:
    """Record the change as a fact."""
    now = store.clock.now()
    more: dict[str, Any] = {"author": getpass.getuser(), "reason": reason}
    body = system_fact(
        event_type,
        environment=store.environment,
        service=str(record.body["service"]),
        subject=record.key,
        version=str(record.seq_no),
        timestamp=now,
        now=now,
        **more,
    )
    await store.record([event_from_body(body)])
