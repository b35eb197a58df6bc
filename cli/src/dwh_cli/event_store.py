"""`dwh store`: read models from the log, read models against the log, the log as files."""

import os
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from dwh_eventstore import Store, StoreError, StoreUnavailable, archive
from dwh_eventstore.fold_versions import outdated
from dwh_eventstore.replay import Plan, Rebuild, Verified, read_model_names, verify
from dwh_runtime import collector
from dwh_runtime.aws import AwsClients, AwsRefused, AwsUnavailable, LocalFiles, Objects

from dwh_cli import show
from dwh_cli.audit import audit
from dwh_cli.connect import setting
from dwh_cli.exits import No, NoServer, Usage
from dwh_cli.progress import progress_bar
from dwh_cli.store import LONG_WORK_PATIENCE_SECONDS, opened_store, wait_for

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The log and its read models.")
AsJson = Annotated[bool, show.AS_JSON]
app.command()(audit)
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Removed:
    """Old indices of a read model that are gone now."""

    name: str
    removed: list[str]


Rebuilt = Plan | Verified | Removed
"""What a rebuild would do, or did."""


@app.command()
def rebuild(
    names: Annotated[list[str] | None, typer.Argument(help="Read models, e.g. job-events.")] = None,
    *,
    outdated_ones: Annotated[
        bool, typer.Option("--outdated", help="All that the folds of another release wrote.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Back to the index before.")] = False,
    drop_old: Annotated[bool, typer.Option("--drop-old", help="Remove the indices not in use.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make read models anew from the log while everything runs; taken up where it was interrupted."""
    if dry_run + rollback + drop_old > 1:
        raise Usage("--dry-run, --rollback and --drop-old exclude each other")
    _check_asked(bool(names), outdated_ones=outdated_ones, looks_back=rollback or drop_old)
    answers: list[Rebuilt] = []

    async def work() -> None:
        async with opened_store(LONG_WORK_PATIENCE_SECONDS) as store:
            wanted = names or [each.model for each in await outdated(store.backend)]
            await _known(store, names or ())
            collector.spare()
            for name in wanted:
                await one(store, name)

    async def one(store: Store, name: str) -> None:
        with _answered(), progress_bar(lambda: store.backend.pressed) as progress:
            owner = f"{socket.gethostname()}-{os.getpid()}"
            made = Rebuild(
                store.backend,
                name,
                owner=owner,
                clock=store.clock,
                replicas=store.replicas,
                progress=progress,
            )
            if dry_run:
                answers.append(await made.plan())
            elif drop_old:
                answers.append(Removed(name, await made.drop_old()))
            else:
                answers.append(await (made.rollback() if rollback else made.run()))

    try:
        wait_for(work)
    except (No, NoServer, Usage):
        if answers:
            with suppress(typer.Exit):  # the reason why the next one failed is said after what was done
                _show_rebuilt(answers, as_json=as_json)
        raise
    _show_rebuilt(answers, as_json=as_json)


@app.command("verify")
def verify_read_models(
    names: Annotated[list[str] | None, typer.Argument(help="Read models; all when none is named.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Compare read models with a fold of the log; exit code 1 when a document differs."""

    async def work() -> list[Verified]:
        async with opened_store(LONG_WORK_PATIENCE_SECONDS) as store:
            await _known(store, names or ())
            with progress_bar(lambda: store.backend.pressed) as progress:
                return await verify(store.backend, names or None, clock=store.clock, progress=progress)

    _show_verified(wait_for(work), as_json=as_json)


@app.command()
def export(
    uri: Annotated[str, typer.Argument(help="A folder: file:///… or s3://bucket/…")],
    *,
    as_json: AsJson = False,
) -> None:
    """Write what is stored as gzipped JSON lines, a folder per partition; goes on where it ended."""
    _check(uri)

    async def work() -> archive.Exported:
        async with opened_store(LONG_WORK_PATIENCE_SECONDS) as store, _objects(uri) as objects:
            with progress_bar(lambda: store.backend.pressed) as progress:
                return await archive.export(store.backend, objects, uri, progress)

    done = wait_for(work)
    told = {"events": done.events, "files": done.files, "events_before": done.before}
    if as_json:
        show.as_json(told)
    else:
        typer.echo(
            f"{done.events} events written in {done.files} files; {done.before} were there from before"
        )


@app.command("import")
def import_events(
    uri: Annotated[str, typer.Argument(help="A folder: file:///… or s3://bucket/…")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only read the files, and name what is bad.")
    ] = False,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Read again what an interrupted import has read.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Append and fold the events of files; what is stored already stays as it is."""
    _check(uri)

    async def work() -> archive.Imported:
        async with opened_store(LONG_WORK_PATIENCE_SECONDS) as store, _objects(uri) as objects:
            with progress_bar(lambda: store.backend.pressed) as progress:
                if dry_run:
                    return await archive.check_files(
                        objects, uri, environment=store.environment, progress=progress
                    )
                return await archive.import_files(
                    store.backend,
                    store.record,
                    objects,
                    uri,
                    environment=store.environment,
                    from_start=from_start,
                    progress=progress,
                )

    done = wait_for(work)
    names = (archive.READABLE,) if dry_run else ("stored", "duplicate", "conflict")
    told = {name: done.outcomes[name] for name in names}
    if as_json:
        show.as_json({**told, "refused": done.refused, "skipped_files": done.skipped_files})
    else:
        for line in done.refused[:_SHOWN]:
            typer.echo(show.plain(line), err=True)
        counts = ", ".join(f"{count} {name}" for name, count in told.items())
        typer.echo(f"{counts}, {len(done.refused)} refused; {done.skipped_files} files were read before")
    if done.refused or done.outcomes["conflict"]:
        raise typer.Exit(1)


@contextmanager
def _answered() -> Iterator[None]:
    """A rebuild that is refused is an answer; a server that is away is not."""
    try:
        yield
    except StoreUnavailable:
        raise
    except StoreError as error:
        raise No(str(error)) from error


async def _known(store: Store, names: Sequence[str]) -> None:
    known = await read_model_names(store.backend) if names else []
    for name in names:
        if name not in known:
            raise No(f"there is no read model {show.plain(name)}; there are: {', '.join(known) or 'none'}")


def _check(uri: str) -> None:
    if urlsplit(uri).scheme not in {"file", "s3"}:
        raise Usage(f"{show.plain(uri)}: a folder is named as file:///… or s3://bucket/…")


@asynccontextmanager
async def _objects(uri: str) -> AsyncIterator[Objects]:
    try:
        if uri.startswith("file:"):
            yield LocalFiles()
        else:
            async with AwsClients(setting("AWS_REGION")) as clients:
                yield clients.objects
    except AwsUnavailable as error:
        raise NoServer(str(error)) from error
    except (AwsRefused, OSError) as error:
        raise Usage(str(error)) from error


def _check_asked(named: bool, *, outdated_ones: bool, looks_back: bool) -> None:
    if outdated_ones and looks_back:
        raise Usage("--outdated says which to make anew: name those to bring back, or whose old to drop")
    if named == outdated_ones:
        raise Usage("name read models, e.g. `dwh store rebuild job-events`, or say --outdated")


def _show_rebuilt(answers: Sequence[Rebuilt], *, as_json: bool) -> None:
    told = [asdict(answer) for answer in answers if not isinstance(answer, Verified)]
    verified = [answer for answer in answers if isinstance(answer, Verified)]
    if verified:
        _show_verified(verified, as_json=as_json)
    elif as_json:
        show.as_json({"items": told})
    elif not answers:
        typer.echo("every read model is written by the folds of this release")
    for each in told if not as_json else ():
        show.fields(each)


def _show_verified(found: list[Verified], *, as_json: bool) -> None:
    differences = [(each.name, one) for each in found for one in each.differences]
    if as_json:
        show.as_json({"items": [_as_json(each) for each in found]})
    else:
        show.table(
            ["read model", "documents", "differences", "checksum"],
            [[each.name, each.documents, len(each.differences), each.checksum] for each in found],
            empty="there is no read model",
        )
        for name, one in differences:
            typer.echo(show.plain(f"{name}/{one.id} {one.kind} {', '.join(one.fields)}".rstrip()))
    if differences:
        raise typer.Exit(1)


def _as_json(verified: Verified) -> dict[str, Any]:
    return {
        "name": verified.name,
        "documents": verified.documents,
        "checksum": verified.checksum,
        "differences": [
            {"id": each.id, "kind": each.kind, "fields": list(each.fields)} for each in verified.differences
        ],
    }
