"""`dwh store audit`: the log against its sealed digests."""

import os
from dataclasses import asdict
from typing import Annotated

import typer
from dwh_contracts.times import format_time, parse_time
from dwh_eventstore.audit import Audited, Sealer, digest_key
from dwh_eventstore.audit import audit as check_log
from dwh_runtime.audit_copies import AuditCopies
from dwh_runtime.aws import AwsClients, AwsError

from dwh_cli import show
from dwh_cli.connect import load_environment, secret
from dwh_cli.exits import No, NoServer, Usage
from dwh_cli.progress import progress_bar
from dwh_cli.store import LONG_WORK_PATIENCE_SECONDS, opened_store, wait_for

LIMITS = (
    "not detectable: what was forged before it was sealed, what a holder of the key forges, "
    "and the recorder's own fields"
)


def audit(
    *,
    since: Annotated[str | None, typer.Option(help="Only what was sealed since this RFC 3339 time.")] = None,
    seal: Annotated[bool, typer.Option("--seal", help="Seal what is stored now, then check.")] = False,
    as_json: Annotated[bool, show.AS_JSON] = False,
) -> None:
    """Check the log against its digests; names each event that was edited, deleted or inserted."""
    moment = _time(since)
    load_environment()
    text = secret("DWH_AUDIT_KEY")
    if text is None:
        raise Usage("DWH_AUDIT_KEY is not set; digests are checked with the key that signed them")
    uri = os.environ.get("DWH_AUDIT_URI")

    async def work() -> Audited:
        clients = AwsClients(os.environ.get("AWS_REGION") or "us-east-1")
        key = digest_key(text, clients.keys)
        async with opened_store(LONG_WORK_PATIENCE_SECONDS) as store, clients as aws:
            copies = AuditCopies(aws.objects, uri) if uri else None
            try:
                if seal:
                    await Sealer(store.backend, key, store.clock, copies).seal()
                with progress_bar(lambda: store.backend.pressed) as progress:
                    return await check_log(store.backend, key, since=moment, copies=copies, progress=progress)
            except AwsError as error:
                raise NoServer(f"DWH_AUDIT_KEY or DWH_AUDIT_URI: {error}") from None

    answer = wait_for(work)
    if as_json:
        show.as_json(asdict(answer))
    else:
        columns = ("kind", "partition", "id", "detail")
        rows = [[asdict(finding)[name] for name in columns] for finding in answer.findings]
        show.table(columns, rows, empty="nothing differs from what was sealed")
        typer.echo(f"{answer.digests} digests, {answer.events} events sealed, {answer.unsealed} not yet")
        typer.echo(LIMITS)
    if answer.findings:
        raise No(f"{len(answer.findings)} findings")


def _time(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return format_time(parse_time(text))
    except ValueError as error:
        raise Usage(f"--since: {error}") from None
