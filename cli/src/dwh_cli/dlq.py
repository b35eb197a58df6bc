"""`dwh dlq`: dead letters of the queues; count them, look at them, send them back as they were."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, TypeVar

import typer
from dwh_contracts.clock import SystemClock
from dwh_runtime.aws import AwsClients, AwsError
from dwh_runtime.claim_checks import fetcher
from faststream_sqs import TransportError
from faststream_sqs import redrive as letters_of
from faststream_sqs.redrive import DeadLetter, Redriven
from faststream_sqs.transport.aioboto import AiobotocoreTransport
from faststream_sqs.transport.remedies import NO_QUEUE, UNREACHABLE, remedy_of

from dwh_cli import show
from dwh_cli.connect import setting
from dwh_cli.exits import Ended, No, NoServer, Usage
from dwh_cli.letters import QUEUES, TRIGGERS, described, matcher, queue_name, verdict, why
from dwh_cli.progress import progress_bar

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Dead letters.")
AsJson = Annotated[bool, show.AS_JSON]
Queue = Annotated[str, typer.Argument(metavar="QUEUE", help=f"One of {', '.join(QUEUES)}, or a name or URL.")]
BODY_CHARACTERS = 300
T = TypeVar("T")


@app.command("list")
def list_queues(*, as_json: AsJson = False) -> None:
    """The queues and about how many dead letters each has."""

    async def read() -> list[dict[str, Any]]:
        async with _transport() as transport:
            return [await _counted(transport, queue_name(queue, _environment())) for queue in QUEUES]

    rows = _wait_for(read)
    if as_json:
        show.as_json({"items": rows, "next_cursor": None})
    else:
        columns = ("queue", "dead_letter_queue", "messages")
        show.table(columns, [[row[name] for name in columns] for row in rows], empty="")
    if all(row["dead_letter_queue"] is None for row in rows):
        raise No(f"none of the queues dwh-{_environment()}-… is here, with dead letters ({NO_QUEUE})")


@app.command("peek")
def peek(
    queue: Queue,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 10,
    as_json: AsJson = False,
) -> None:
    """Dead letters: why each is there, and what is wrong with its body. They stay."""
    name = queue_name(queue, _environment())

    async def read() -> list[dict[str, Any]]:
        async with _transport() as transport:
            found = await letters_of.peek(transport, name, limit=limit)
            return [described(letter, check) for letter, check in await _checked(name, found)]

    items = _wait_for(read)
    if as_json:
        show.as_json({"items": items, "next_cursor": None})
        return
    for item in items:
        body = item["body"]
        cut = f"{body[:BODY_CHARACTERS]} … ({len(body)} characters)" if len(body) > BODY_CHARACTERS else body
        show.fields({**item, "body": cut})
        typer.echo()
    if not items:
        typer.echo(f"{name} has no dead letters")


@app.command("redrive")
def redrive(
    queue: Queue,
    *,
    match: Annotated[
        list[str] | None,
        typer.Option(
            metavar="K=V",
            help="Only letters with this value in the details, attributes or body; again for more.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Only say which.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back to their queue, byte for byte; what is parked meanwhile stays."""
    name, wanted = queue_name(queue, _environment()), matcher(match or [])
    reasons: dict[str, str] = {}

    def chosen(letter: DeadLetter) -> bool:
        reasons[letter.message_id] = why(letter)
        return wanted(letter)

    async def send() -> Redriven:
        async with _transport() as transport:
            total = sum(q.messages for q in await letters_of.dead_letter_queues(transport, [name]))
            with progress_bar() as bar:
                return await letters_of.redrive(
                    transport,
                    name,
                    match=chosen,
                    limit=limit,
                    dry_run=dry_run,
                    progress=lambda seen: bar(name, seen, max(seen, total)),
                )

    done = _wait_for(send)
    if as_json:
        told = {"moved": list(done.moved), "kept": list(done.kept), "refused": dict(done.refused)}
        more = {"undeleted": dict(done.undeleted), "unseen": done.unseen}
        show.as_json({"queue": name, "dry_run": dry_run, **told, **more})
    else:
        _tell(name, done, reasons, dry_run=dry_run)
    _complete(name, done)


def _complete(name: str, done: Redriven) -> None:
    """Raise `No` for what a person has to know of, whatever else went back."""
    if done.undeleted:
        raise No(
            f"{name}: {len(done.undeleted)} of those sent back are still dead letters; "
            "delete them, or the next redrive sends them twice"
        )
    if done.unseen:
        raise No(
            f"{name}: about {done.unseen} dead letters stand behind others of their FIFO group that stay; "
            "send or delete those first"
        )
    if done.refused:
        raise No(f"{name}: {len(done.refused)} dead letters were not taken and stay where they are")
    if not done.moved:
        raise No(f"{name}: of {len(done.kept)} dead letters none is to be sent back")


def _tell(name: str, done: Redriven, reasons: dict[str, str], *, dry_run: bool) -> None:
    if dry_run:
        show.table(
            ("message_id", "why"), [(each, reasons.get(each)) for each in done.moved], empty="nothing to do"
        )
    for message_id, reason in done.refused.items():
        typer.echo(f"{message_id}  not taken: {show.plain(reason)}")
    for message_id, reason in done.undeleted.items():
        typer.echo(f"{message_id}  sent back, but not deleted: {show.plain(reason)}")
    verb = "would be sent back" if dry_run else "sent back"
    typer.echo(f"{name}: {len(done.moved)} {verb}, {len(done.kept)} stay")


async def _counted(transport: AiobotocoreTransport, name: str) -> dict[str, Any]:
    try:
        found = await letters_of.dead_letter_queues(transport, [name])
    except TransportError as error:
        if remedy_of(error.code) != NO_QUEUE:
            raise
        found = []
    if not found:
        return {"queue": name, "dead_letter_queue": None, "messages": None}
    target = found[0].url.rpartition("/")[2]
    return {"queue": name, "dead_letter_queue": target, "messages": found[0].messages}


async def _checked(name: str, found: list[DeadLetter]) -> list[tuple[DeadLetter, str]]:
    now = SystemClock().now()
    async with AsyncExitStack() as stack:
        expand = None
        if found and not name.endswith(TRIGGERS):
            aws = await stack.enter_async_context(AwsClients(setting("AWS_REGION")))
            expand = fetcher(aws.objects)
        return [
            (
                letter,
                await asyncio.to_thread(
                    verdict, name, letter.body, environment=_environment(), now=now, expand=expand
                ),
            )
            for letter in found
        ]


@asynccontextmanager
async def _transport() -> AsyncIterator[AiobotocoreTransport]:
    transport = AiobotocoreTransport(setting("AWS_REGION"))
    await transport.open(polls=1, wait_seconds=1)
    try:
        yield transport
    finally:
        await transport.close()


def _environment() -> str:
    return setting("DWH_ENVIRONMENT")


def _wait_for(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    try:
        return asyncio.run(work())
    except TransportError as error:
        raise _ended(error) from None
    except AwsError as error:
        raise NoServer(str(error)) from None


def _ended(error: TransportError) -> Ended:
    """No such queue or no dead letters: 1. Rights, credentials, region: 2. No answer: 3, with the address."""
    remedy = remedy_of(error.code, error.detail)
    if remedy == NO_QUEUE or error.code == "NoDeadLetterQueue":
        return No(str(error))
    if not error.retryable or remedy not in {"", UNREACHABLE}:
        return Usage(str(error))
    where = os.environ.get("AWS_ENDPOINT_URL_SQS") or os.environ.get("AWS_ENDPOINT_URL") or "AWS"
    return NoServer(f"SQS at {where} does not answer: {error}")
